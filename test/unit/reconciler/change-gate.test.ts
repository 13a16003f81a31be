import { expect, it, vi } from 'vitest';
import { gateChanges } from '../../../reconciler/change-gate.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';

/** What a reconciler that stands by still answers. A new method of the control plane needs a decision here. */
const answered: Readonly<Record<keyof ControlPlane, boolean>> = {
  status: true,
  apps: true,
  services: true,
  instances: true,
  nodes: true,
  node: true,
  holds: true,
  tally: true,
  cluster: true,
  service: true,
  why: true,
  calculate: true,
  plan: true,
  snapshot: true,
  history: true,
  rollback: false,
  unpin: false,
  undelete: false,
  suspend: false,
  resume: false,
  tokens: true,
  identity: true,
  keys: true,
  overrides: true,
  events: true,
  figures: true,
  vitals: true,
  registries: true,
  pullSources: true,
  deploy: false,
  login: false,
  logout: false,
  remove: false,
  move: false,
  replicate: false,
  registered: true,
  addInstance: false,
  dropInstance: false,
  approve: false,
  sync: false,
  createToken: false,
  revokeToken: false,
  join: false,
  standing: false,
  register: false,
  revoke: false,
  removeNode: false,
  rotateKeys: false,
  renewCredential: false,
  removeOverride: false,
  scale: false,
  stop: false,
  start: false,
  restart: false,
  cordon: false,
  drain: false,
  uncordon: false,
  logs: false,
  exec: false,
  loadImages: false,
};

const seat = (requireTaken: () => void) => ({ requireTaken }) as Parameters<typeof gateChanges>[0];
const methods = Object.keys(answered) as (keyof ControlPlane)[];

/** Calls one method of a control plane, gated, and tells whether it got through. */
async function reaches(method: keyof ControlPlane, requireTaken: () => void): Promise<boolean> {
  const call = vi.fn();
  const gated = gateChanges(seat(requireTaken), Object.fromEntries(methods.map((one) => [one, call])) as never);
  try {
    await (gated[method] as () => unknown)();
  } catch (error) {
    expect(String(error)).toContain('stands by');
  }
  return call.mock.calls.length === 1;
}

it.each(methods)('%s changes nothing where another reconciler runs the cluster', async (method) => {
  const standsBy = () => {
    throw new Error('stands by');
  };
  expect(await reaches(method, standsBy)).toBe(answered[method]);
  expect(await reaches(method, () => undefined)).toBe(true);
});
