import type { CpuInfo } from 'node:os';
import { expect, test } from 'vitest';
import { createUsageMeter } from '../../../../agent/metrics/usage.ts';

function machine() {
  const core = (user: number, idle: number): CpuInfo => ({
    model: 'm',
    speed: 1,
    times: { user, nice: 0, sys: 0, irq: 0, idle },
  });
  const state = { cpus: [core(10, 90), core(10, 90)], free: 256 };
  const mb = 1024 * 1024;
  return {
    set: (user: number, idle: number) => {
      state.cpus = [core(user, idle), core(user, idle)];
    },
    cpus: () => state.cpus,
    totalmem: () => 1_024 * mb,
    freemem: () => state.free * mb,
  };
}

test('CPU is the share since the reading before, memory what is not free, capacity what the machine has', () => {
  const here = machine();
  const usage = createUsageMeter({}, here);
  expect(usage()).toEqual({ cpu: 10, memory: 75, capacity: { cpu: 2, memory: 1_024 } });
  here.set(60, 140);
  expect(usage().cpu).toBe(50);
  expect(usage().cpu).toBe(0);
});

test('a capacity that is given wins', () => {
  expect(createUsageMeter({ memory: 300 }, machine())().capacity).toEqual({ cpu: 2, memory: 300 });
});
