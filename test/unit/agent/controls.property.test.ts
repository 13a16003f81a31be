/**
 * Two writers (a reconciler, and now and then a rival or its own successor) send controls and assignments through a channel that
 * loses, doubles, reorders and replays them, to an agent that may crash between any two. Whatever happens, the ledger is
 * exactly what some writer assigned under the pair it carries, and its pair never goes back.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createInbox, type Inbox } from '../../../agent/inbox.ts';
import { createLedger, type Ledger } from '../../../agent/ledger.ts';
import { changePart, hashPart, type Part, type PartChange } from '../../../schemas/assignment.ts';
import type { Fence } from '../../../schemas/messages.ts';
import { compareFence } from '../../../schemas/names.ts';
import type { BusMessage, Files } from '../../../schemas/ports.ts';
import { topic } from '../../../schemas/topics.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { runsOf } from '../../support/runs.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';
import { assignmentOf, cluster, container, controlOf, emptyPart, jobOf, node } from './support.ts';

const runs = [container('web:1'), container('web:2', { one_shot: true })];
const instances = ['a.default.x.default.instance.0', 'a.default.x.default.instance.1'];

type Command =
  /** A writer changes its part: one control, one gen. `sent` of 0 is a loss. */
  | { readonly kind: 'change'; readonly writer: 0 | 1; readonly pick: number; readonly sent: number }
  | { readonly kind: 'assign'; readonly writer: 0 | 1; readonly sent: number }
  /** The writer starts again: next epoch, with the agent's ledger as its part. */
  | { readonly kind: 'succeed'; readonly writer: 0 | 1; readonly sent: number }
  /** Something that was sent (or lost) before arrives, again or at last. */
  | { readonly kind: 'replay'; readonly pick: number }
  | { readonly kind: 'forged'; readonly pick: number }
  | { readonly kind: 'settle' }
  | { readonly kind: 'crash' };

const writer = fc.constantFrom<0 | 1>(0, 0, 0, 1);
const sent = fc.constantFrom(0, 1, 1, 1, 2);
const pick = fc.nat(1_000);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('change' as const), writer, pick, sent }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('assign' as const), writer, sent }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('succeed' as const), writer, sent }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('replay' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forged' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
);

const pairText = ({ epoch, gen, by }: Fence): string => `${epoch}.${gen} ${by}`;

interface Process {
  readonly ledger: Ledger;
  readonly inbox: Inbox;
  /** From now on its writes do not reach the disk. */
  die(): void;
}

interface Tally {
  applied: number;
  other: number;
}

class World {
  readonly disk = createMemoryFiles();
  /** Hash of what was assigned under each pair. */
  readonly assigned = new Map([[pairText(emptyPart.fence), hashPart(emptyPart)]]);
  readonly sent: BusMessage[] = [];
  readonly writers: Part[] = [];
  readonly tally: Tally;
  epoch = 1;
  agent: Process | undefined;
  last: Fence = emptyPart.fence;

  constructor(tally: Tally) {
    this.tally = tally;
    for (const by of ['first', 'rival']) this.writers.push({ ...emptyPart, fence: { epoch: 1, gen: 0, by } });
    for (const part of this.writers) this.assigned.set(pairText(part.fence), hashPart(part));
  }

  async boot(): Promise<void> {
    let alive = true;
    const files: Files = {
      ...this.disk,
      write: (name, text) => (alive ? this.disk.write(name, text) : new Promise(() => undefined)),
    };
    const ledger = createLedger(files);
    expect(await ledger.load()).toBeUndefined();
    const inbox = createInbox({
      identity: { id: node, name: 'w', cluster },
      ledger,
      clock: createVirtualClock(),
      verify: (_topic, message) => (message as { sig?: string }).sig === 'good',
      trace: (event) => {
        if (event.kind === 'judged') this.tally[event.outcome === 'applied' ? 'applied' : 'other'] += 1;
      },
      applied: () => this.check(ledger),
      reportBack: () => undefined,
      trouble: () => undefined,
    });
    this.agent = {
      ledger,
      inbox,
      die: () => {
        alive = false;
        inbox.close();
      },
    };
    this.check(ledger);
  }

  check(ledger: Ledger): void {
    const part = ledger.part();
    expect(this.assigned.get(pairText(part.fence))).toBe(hashPart(part));
    expect(compareFence(part.fence, this.last)).toBeGreaterThanOrEqual(0);
    this.last = part.fence;
  }

  async settled(): Promise<Ledger> {
    if (!this.agent) throw new Error('no agent');
    await this.agent.inbox.idle();
    this.check(this.agent.ledger);
    return this.agent.ledger;
  }

  send(row: 'assignment' | 'controls', message: object, times: number): void {
    const delivery = { topic: topic(node, row), payload: JSON.stringify(message), retained: false };
    this.sent.push(delivery);
    for (let i = 0; i < times; i += 1) this.agent?.inbox.take(delivery);
  }

  write(index: 0 | 1, next: Part): void {
    this.writers[index] = next;
    this.assigned.set(pairText(next.fence), hashPart(next));
  }

  async run(command: Command): Promise<void> {
    const before = 'writer' in command ? (this.writers[command.writer] ?? emptyPart) : emptyPart;
    switch (command.kind) {
      case 'change': {
        const fence = { ...before.fence, gen: before.fence.gen + 1 };
        const change = changeOf(before, fence, command.pick);
        this.write(command.writer, changePart(before, change, fence));
        return this.send('controls', controlOf(before, change, fence), command.sent);
      }
      case 'assign':
        return this.send('assignment', assignmentOf(before), command.sent);
      case 'succeed': {
        const ledger = await this.settled();
        this.epoch += 1;
        const fence = { epoch: this.epoch, gen: 1, by: `by${this.epoch}` };
        this.write(command.writer, { ...ledger.part(), fence });
        return this.send('assignment', assignmentOf({ ...ledger.part(), fence }), command.sent);
      }
      case 'replay': {
        const message = this.sent[command.pick % Math.max(1, this.sent.length)];
        if (message) this.agent?.inbox.take(message);
        return undefined;
      }
      case 'forged': {
        const fence = { epoch: 99, gen: command.pick, by: 'forger' };
        const payload = JSON.stringify(assignmentOf({ ...emptyPart, fence }, { sig: 'bad' }));
        this.agent?.inbox.take({ topic: topic(node, 'assignment'), payload, retained: true });
        return undefined;
      }
      case 'settle':
        await this.settled();
        return undefined;
      case 'crash':
        this.agent?.die();
        return this.boot();
    }
  }
}

/** A new copy, another want of an old one, or a drop. */
function changeOf(before: Part, fence: Fence, pick: number): PartChange {
  const old = before.jobs[pick % (before.jobs.length + 1)];
  if (old && pick % 3 === 0) return { kind: 'drop', instance: old.instance, copy: old.copy };
  const document = runs[pick % runs.length] ?? container('x');
  const instance = instances[pick % instances.length] ?? '';
  const want = (['run', 'prepared', 'stopped'] as const)[pick % 3] ?? 'run';
  const known = old && before.documents[old.digest];
  if (old && known) return { kind: 'upsert', job: { ...old, want }, document: known };
  return { kind: 'upsert', job: jobOf(instance, `${fence.epoch}.${fence.gen}`, document, want), document };
}

test('a control lost, doubled, reordered, replayed or of another epoch never leaves a ledger that differs from its assignment', async () => {
  const tally: Tally = { applied: 0, other: 0 };
  const sequences = runsOf({ ci: 10_000, otherwise: 2_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 8, maxLength: 24 }), async (commands) => {
      const world = new World(tally);
      await world.boot();
      for (const one of commands) await world.run(one);
      await world.settled();
      // In the end one assignment arrives, and the ledger is that assignment, whatever came before.
      const fence = { epoch: world.epoch + 1, gen: 1, by: 'last' };
      world.write(0, { ...(world.writers[0] ?? emptyPart), fence });
      world.send('assignment', assignmentOf({ ...(world.writers[0] ?? emptyPart) }), 1);
      const ledger = await world.settled();
      expect(ledger.part()).toEqual(world.writers[0]);
      const onDisk = createLedger(world.disk);
      await onDisk.load();
      expect(onDisk.part()).toEqual(ledger.part());
    }),
    { numRuns: sequences },
  );
  // The property means nothing if the channel let almost nothing through, or almost everything.
  expect(tally.applied).toBeGreaterThan(3 * sequences);
  expect(tally.other).toBeGreaterThan(2 * sequences);
}, 120_000);
