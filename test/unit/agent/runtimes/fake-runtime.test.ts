/** The fake that the agent's tests stand on does what every runtime does. */
import type { RunSpec } from '../../../../schemas/spec.ts';
import { createFakeRuntime } from '../../../support/fake-runtime.ts';
import { describeRuntime } from '../../../support/runtime-conformance.ts';
import { createVirtualClock } from '../../../support/virtual-clock.ts';

describeRuntime('the fake', () => {
  const clock = createVirtualClock();
  const [mine, other] = [createFakeRuntime({ clock }), createFakeRuntime({ clock })];
  const run = (code: string): RunSpec => ({ virtualization: 'container', code });
  return {
    open: () => mine,
    openOther: () => other,
    stays: run('stays'),
    ends: (code) => run(`ends ${code}`),
    started(key, { code }) {
      if (!code.startsWith('ends')) return;
      mine.logText.set(`${key.instance}/${key.copy}`, [
        { stream: 'stdout', text: 'out 1' },
        { stream: 'stdout', text: 'out 2' },
        { stream: 'stderr', text: 'err 1' },
      ]);
      mine.exit(key, Number(code.slice('ends '.length)));
    },
  };
});
