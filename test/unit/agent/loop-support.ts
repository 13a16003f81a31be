/** What tests of the loop share: a rig that has begun, and the steps that its runtime took. */
import { createRig, type Rig } from './support.ts';

export async function started(): Promise<Rig> {
  const rig = createRig();
  await rig.boot();
  return rig;
}

export const steps = (rig: Rig): string[] => rig.runtime.calls.filter((call) => !/^(list|probe|inspect)/.test(call));
