/**
 * Some reconcilers of one cluster on one broker, that die, stop, lose their connection, or see the broker forget everything. Whatever
 * happens, two never run side by side for longer than a beat, and once it is quiet exactly one runs.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { officeBeat } from '../../../reconciler/core/office.ts';
import { emptyRecords } from '../../../reconciler/core/records.ts';
import { createJournal } from '../../../reconciler/journal.ts';
import { createOffice, type OfficeSeat } from '../../../reconciler/office.ts';
import { openRecords } from '../../../reconciler/records-keeper.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';
import { createMortalProcess, type Disk, type MortalProcess } from '../../support/mortal-process.ts';
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts';

type Step =
  | { readonly kind: 'start' | 'kill' | 'stop' | 'cut' | 'heal'; readonly who: number }
  | { readonly kind: 'forget' | 'wait'; readonly ms: number };

const who = fc.nat(2);
const ms = fc.constantFrom(10, 700, 3_000, 8_000, 14_000, 40_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('start' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'stop' as const, 'cut' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('heal' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), ms: fc.constantFrom(100, 20_000) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms }) },
);

const longestDelay = 1_600;

/** One machine: its records and state stay, its processes come and go. */
interface Machine {
  readonly name: string;
  readonly disk: Disk;
  readonly state: ReturnType<typeof createMemoryFiles>;
  process: MortalProcess | undefined;
  seat: OfficeSeat | undefined;
  /** Connected, and let in. */
  runs: boolean;
}

async function play(steps: readonly Step[], seed: number): Promise<void> {
  const clock = createVirtualClock();
  const broker = createMemoryBroker(clock);
  const random = createSeededRandom(seed);
  const keys = createMemoryKeys('test');
  // Longer than one that held the office looks before it goes on: so two run at times.
  broker.fate = () => [random.number() < 0.3 ? longestDelay : 5];
  const machines = [0, 1, 2].map(
    (n): Machine => ({
      ...{ name: `reconciler-${n}`, process: undefined, seat: undefined, runs: false },
      disk: { records: { ...emptyRecords, epoch: 3 + n }, full: false, saves: 0, onSave: () => undefined },
      state: createMemoryFiles(),
    }),
  );
  let together = 0;

  const end = (machine: Machine): void => {
    machine.process?.die();
    machine.process = undefined;
    machine.runs = false;
  };
  const start = async (machine: Machine): Promise<void> => {
    if (machine.process) return;
    const process = createMortalProcess();
    machine.process = process;
    const keeper = await openRecords(process.store(machine.disk));
    const seat = createOffice({
      deps: {
        ...{ keys, random, log: () => undefined, clock: process.clock(clock), state: process.files(machine.state) },
        bus: broker.client(machine.name, { kind: 'reconciler' }),
        shared: { broker: 'memory:', user: machine.name, url: () => '' },
        fatal: () => {
          if (!process.alive) return;
          end(machine);
          broker.kill(machine.name);
        },
      },
      ...{ keeper, journal: createJournal({ clock, run: '' }), by: Buffer.from(random.bytes(8)).toString('hex') },
      onEpoch: () => undefined,
    });
    machine.seat = seat;
    const running = (is: boolean) => () => {
      if (!process.alive) return;
      machine.runs = is;
    };
    seat.bus.open(
      { subscribe: [] },
      { connected: running(true), disconnected: running(false), message: () => undefined },
    );
  };
  const carryOut = async (one: Step): Promise<void> => {
    if ('ms' in one) return one.kind === 'wait' ? watch(one.ms) : broker.restart(one.ms);
    const machine = machines[one.who];
    if (!machine) return;
    if (one.kind === 'start') return start(machine);
    if (one.kind === 'cut') return broker.cut(machine.name);
    if (one.kind === 'heal') return broker.heal(machine.name);
    if (!machine.process) return;
    if (one.kind === 'stop') await machine.seat?.bus.close();
    end(machine);
    broker.kill(machine.name);
  };
  /** Also looks that no two run for longer than a beat and what two messages take. */
  const watch = async (time: number): Promise<void> => {
    for (let passed = 0; passed < time; passed += 100) {
      await clock.advance(Math.min(100, time - passed));
      together = machines.filter(({ runs }) => runs).length > 1 ? together + 100 : 0;
      expect(together).toBeLessThanOrEqual(officeBeat + 2 * longestDelay);
    }
  };

  for (const one of steps) await carryOut(one);
  for (const machine of machines) broker.heal(machine.name);
  // What an end in the last moment leaves is seen within a beat; then three beats without a word are awaited.
  await watch(6 * officeBeat);
  await start(machines[0] as Machine);
  await watch(6 * officeBeat);
  const running = machines.filter(({ runs }) => runs);
  expect(running.map(({ name }) => name)).toHaveLength(1);
}

test('of several reconcilers one runs', { timeout: 60_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), fc.nat(1_000), play), {
    numRuns: 30,
  });
});
