/** What every runtime has to do, whatever it runs. A new runtime passes this suite before anything is built on it. */
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ActualCopy, CopyKey, CopyPlan, LogLine, Runtime, RuntimeEvent } from '../../agent/runtimes/runtime.ts';
import { digestOf } from '../../schemas/digest.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { eventually } from './eventually.ts';
import { unique } from './machine.ts';

/** A runtime under test, and what it needs to be tried. */
export interface RuntimeSubject {
  /** A new runtime for the same node: what an agent has after a restart. */
  open(): Runtime;
  /** The same for another node that shares the engine. */
  openOther(): Runtime;
  /** Runs until it is stopped, and ends at the polite signal. */
  readonly stays: RunSpec;
  /** Writes `out 1`, `out 2` to stdout and `err 1` to stderr, then ends with this code. */
  readonly ends: (code: number) => RunSpec;
  /** Runs until it is killed: it ignores the polite signal. Absent where there are no signals. */
  readonly stubborn?: RunSpec;
  /** Something of the same name that is not ours. `intact` says whether it is as it was made. Absent: names cannot be taken. */
  stranger?(key: CopyKey): Promise<{ intact(): Promise<boolean>; remove(): Promise<void> }>;
  /** For runtimes that run nothing: called after each start, to do what the program would. */
  started?(key: CopyKey, run: RunSpec): void;
}

const app = unique('conform');
let counter = 0;
const never = new AbortController().signal;

/** Registers the suite. `make` is called once, before the first test. */
export function describeRuntime(name: string, make: () => RuntimeSubject): void {
  describe(`${name}: what every runtime does`, () => {
    const subject = make();
    const used: CopyKey[] = [];
    afterEach(async () => {
      for (const runtime of [subject.open(), subject.openOther()])
        for (const key of used) await runtime.remove(key, never).catch(() => {});
      used.length = 0;
    });

    const planOf = (run: RunSpec): CopyPlan => {
      counter += 1;
      const plan = {
        instance: `${app}.test.svc${counter}.test.instance.0`,
        copy: `1.${counter}`,
        digest: digestOf(run),
        run,
      };
      used.push(plan);
      return plan;
    };
    const begin = async (runtime: Runtime, run: RunSpec): Promise<CopyPlan> => {
      const plan = planOf(run);
      await runtime.prepare(run, never);
      await runtime.create(plan, never);
      await start(runtime, plan);
      return plan;
    };
    const start = async (runtime: Runtime, plan: CopyPlan): Promise<void> => {
      await runtime.start(plan, never);
      subject.started?.(plan, plan.run);
    };

    it('says what it is', async () => {
      const runtime = subject.open();
      expect(await runtime.probe(never)).toMatchObject({ name: runtime.name, version: expect.stringMatching(/./) });
    });

    it('creates without starting, starts, stops and removes; each also twice', async () => {
      const runtime = subject.open();
      const plan = planOf(subject.stays);
      await runtime.prepare(plan.run, never);
      await twice(() => runtime.create(plan, never));
      const { instance, copy, digest } = plan;
      expect(await find(runtime, plan)).toMatchObject({
        runtime: runtime.name,
        instance,
        copy,
        digest,
        state: 'created',
      });
      await twice(() => start(runtime, plan));
      const running = await find(runtime, plan);
      expect(running).toMatchObject({ state: 'running' });
      await twice(() => runtime.stop(plan, 5000, never));
      expect(await find(runtime, plan)).toMatchObject({ state: 'exited', addresses: [] });
      await twice(() => runtime.remove(plan, never));
      expect(await find(runtime, plan)).toBeUndefined();
    });

    it('succeeds in stopping and removing what is not there, and fails to start it', async () => {
      const runtime = subject.open();
      const plan = planOf(subject.stays);
      await runtime.stop(plan, 0, never);
      await runtime.remove(plan, never);
      await expect(runtime.start(plan, never)).rejects.toMatchObject({ problem: { code: 'NOT_FOUND' } });
    });

    it('removes what runs', async () => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.stays);
      await runtime.remove(plan, never);
      expect(await find(runtime, plan)).toBeUndefined();
    });

    it('starts again what has ended', async () => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.stays);
      await runtime.stop(plan, 5000, never);
      await start(runtime, plan);
      const again = await find(runtime, plan);
      expect(again).toMatchObject({ state: 'running' });
      expect(again).not.toHaveProperty('exitCode');
    });

    it('finds its copies again after a restart of the agent, and adopts them', async () => {
      const plan = await begin(subject.open(), subject.stays);
      const before = await find(subject.open(), plan);
      const restarted = subject.open();
      await restarted.create(plan, never);
      await restarted.start(plan, never);
      const after = await find(restarted, plan);
      expect(after).toMatchObject({ state: 'running', handle: before?.handle, digest: plan.digest });
      await restarted.stop(plan, 5000, never);
      expect(await find(subject.open(), plan)).toMatchObject({ state: 'exited' });
    });

    it('refuses a copy that exists with another digest, and leaves it alone', async () => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.stays);
      const before = await find(runtime, plan);
      const other = { ...plan, digest: `1:${'0'.repeat(64)}` };
      await expect(runtime.create(other, never)).rejects.toMatchObject({ problem: { code: 'NAME_CONFLICT' } });
      expect(await find(runtime, plan)).toMatchObject({
        handle: before?.handle,
        state: 'running',
        digest: plan.digest,
      });
    });

    it.each([0, 3])('knows the exit code %i', async (code) => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.ends(code));
      await eventually(async () =>
        expect(await find(subject.open(), plan)).toMatchObject({ state: 'exited', exitCode: code }),
      );
    });

    it('gives the log: both streams, the last lines, and while it is being written', async () => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.ends(0));
      const followed = await linesOf(runtime.logs(plan, { follow: true }, never));
      const all = await linesOf(subject.open().logs(plan, {}, never));
      for (const lines of [followed, all]) {
        expect(textsOf(lines, 'stdout')).toEqual(['out 1', 'out 2']);
        expect(textsOf(lines, 'stderr')).toEqual(['err 1']);
      }
      const last = await linesOf(runtime.logs(plan, { tail: 1 }, never));
      expect(last.length).toBeGreaterThan(0);
      expect(textsOf(last, 'stdout').length).toBeLessThanOrEqual(1);
      expect(textsOf(last, 'stdout')).not.toContain('out 1');
    });

    it('ends a followed log when it is aborted', async () => {
      const runtime = subject.open();
      const plan = await begin(runtime, subject.stays);
      const controller = new AbortController();
      const reading = linesOf(runtime.logs(plan, { follow: true }, controller.signal));
      controller.abort();
      await expect(Promise.race([reading.catch(() => 'ended'), timeLimit(30_000)])).resolves.not.toBe('late');
    });

    it('tells what happens to copies, until it is aborted', async () => {
      const runtime = subject.open();
      const controller = new AbortController();
      onTestFinished(() => controller.abort());
      const events: RuntimeEvent[] = [];
      runtime.watch((event) => events.push(event), controller.signal);
      // Watching begins in the background: an event of a first copy says that it has.
      await eventually(async () => {
        const probe = await begin(runtime, subject.ends(0));
        await eventually(() => expect(kindsOf(events, probe)).toContain('ended'), { timeout: 10_000 });
      });
      const plan = await begin(runtime, subject.stays);
      await eventually(() => expect(kindsOf(events, plan)).toContain('started'));
      await runtime.stop(plan, 5000, never);
      await eventually(() => expect(kindsOf(events, plan)).toContain('ended'));
      await runtime.remove(plan, never);
      await eventually(() => expect(kindsOf(events, plan)).toContain('removed'));
      expect(kindsOf(events, plan).filter((kind) => kind === 'removed')).toHaveLength(1);
    });

    it('throws the reason of an aborted signal, and what was begun can be repeated', async () => {
      const runtime = subject.open();
      const plan = planOf(subject.stays);
      const reason = new Error('the ledger changed');
      const aborted = AbortSignal.abort(reason);
      await runtime.prepare(plan.run, never);
      await expect(runtime.create(plan, aborted)).rejects.toBe(reason);
      await runtime.create(plan, never);
      await expect(runtime.start(plan, aborted)).rejects.toBe(reason);
      await start(runtime, plan);
      expect(await find(runtime, plan)).toMatchObject({ state: 'running' });
    });

    it('sees and touches nothing of another node', async () => {
      const mine = subject.open();
      const other = subject.openOther();
      const plan = await begin(other, subject.stays);
      const before = await find(other, plan);
      expect(await find(mine, plan)).toBeUndefined();
      await mine.stop(plan, 0, never).catch(() => {});
      await mine.remove(plan, never).catch(() => {});
      expect(await find(other, plan)).toMatchObject({ state: 'running', handle: before?.handle });
    });

    describe.runIf(subject.stranger)('with strangers', () => {
      it('never touches what has the name of a copy and is not ours', async () => {
        const runtime = subject.open();
        const plan = planOf(subject.stays);
        const stranger = await subject.stranger?.(plan);
        if (!stranger) throw new Error('no stranger');
        onTestFinished(() => stranger.remove());
        await runtime.prepare(plan.run, never);
        const conflict = { problem: { code: 'NAME_CONFLICT' } };
        await expect(runtime.create(plan, never)).rejects.toMatchObject(conflict);
        await expect(runtime.start(plan, never)).rejects.toMatchObject(conflict);
        await expect(runtime.stop(plan, 0, never)).rejects.toMatchObject(conflict);
        await expect(runtime.remove(plan, never)).rejects.toMatchObject(conflict);
        expect(await find(runtime, plan)).toBeUndefined();
        expect(await stranger.intact()).toBe(true);
      });
    });

    describe.runIf(subject.stubborn)('with signals', () => {
      const stubborn = subject.stubborn ?? subject.stays;

      it('is polite first: within the grace, and no longer than needed', async () => {
        const runtime = subject.open();
        const plan = await begin(runtime, subject.stays);
        const took = await timed(() => runtime.stop(plan, 60_000, never));
        expect(took).toBeLessThan(30_000);
        expect(await find(runtime, plan)).toMatchObject({ state: 'exited', exitCode: 143 });
      });

      it('kills after the grace', async () => {
        const runtime = subject.open();
        const plan = await begin(runtime, stubborn);
        await eventually(async () => expect(await linesOf(runtime.logs(plan, {}, never))).toHaveLength(1));
        const took = await timed(() => runtime.stop(plan, 1000, never));
        expect(took).toBeGreaterThanOrEqual(950);
        expect(await find(runtime, plan)).toMatchObject({ state: 'exited', exitCode: 137 });
      });

      it('can be aborted while it waits for the grace', async () => {
        const runtime = subject.open();
        const plan = await begin(runtime, stubborn);
        await eventually(async () => expect(await linesOf(runtime.logs(plan, {}, never))).toHaveLength(1));
        const controller = new AbortController();
        const stopping = runtime.stop(plan, 60_000, controller.signal);
        controller.abort(new Error('wanted again'));
        await expect(Promise.race([stopping, timeLimit(30_000)])).rejects.toThrow('wanted again');
      });
    });
  });
}

async function twice(action: () => Promise<void>): Promise<void> {
  await action();
  await action();
}

async function timed(action: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

async function find(runtime: Runtime, key: CopyKey): Promise<ActualCopy | undefined> {
  const copies = await runtime.list(never);
  return copies.find((copy) => copy.instance === key.instance && copy.copy === key.copy);
}

async function linesOf(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const all: LogLine[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

function textsOf(lines: readonly LogLine[], stream: LogLine['stream']): string[] {
  return lines.filter((line) => line.stream === stream).map((line) => line.text);
}

function kindsOf(events: readonly RuntimeEvent[], key: CopyKey): RuntimeEvent['kind'][] {
  return events.filter((event) => event.instance === key.instance && event.copy === key.copy).map(({ kind }) => kind);
}

function timeLimit(ms: number): Promise<'late'> {
  return new Promise((resolve) => setTimeout(() => resolve('late'), ms).unref());
}
