import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { serveExec } from '../../../agent/exec.ts';
import type { ExecSession, Executor, Runtime } from '../../../agent/runtimes/runtime.ts';
import { createStreamOpener } from '../../../agent/streams.ts';
import { type ExecTerminal, runSession } from '../../../cli/services/exec.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { ExecStart } from '../../../schemas/exec.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { isProblemError, ProblemError, problem } from '../../../schemas/problem.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { runCommand } from '../../support/commands.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeInstance } from '../../support/fake-control-plane.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const never = new AbortController().signal;
const node = 'aabbccddeeff0011';
const name = 'shop.default.web.default.instance.0';
const copy = { instance: name, copy: '1.1', runtime: 'docker' } as never;
const start: ExecStart = { command: ['sh'], tty: false, stdin: true };
const bytes = (text: string) => new TextEncoder().encode(text);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (isProblemError(error) ? error.problem.code : error),
  );

/** What a command does: gets its input, says what it wants, ends. */
type Script = (io: {
  readonly start: ExecStart;
  readonly input: AsyncIterable<string>;
  readonly signal: AbortSignal;
  readonly sizes: readonly object[];
  say(text: string, stream?: 'stdout' | 'stderr'): Promise<void>;
}) => Promise<number>;

/** A queue of one: whoever puts waits until it is taken. */
function createQueue<T>() {
  const waiting: { value: T; taken: () => void }[] = [];
  let wake = () => {};
  let ended = false;
  return {
    put: (value: T) =>
      new Promise<void>((taken) => {
        waiting.push({ value, taken });
        wake();
      }),
    end() {
      ended = true;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = waiting.shift();
        if (next) {
          next.taken();
          yield next.value;
        } else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}

/** A runtime whose copies run a script. */
function scripted(script: Script): Runtime & Executor {
  const exec = async (_: unknown, begin: ExecStart, signal: AbortSignal): Promise<ExecSession> => {
    const input = createQueue<string>();
    const output = createQueue<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>();
    const sizes: object[] = [];
    signal.addEventListener('abort', () => {
      input.end();
      output.end();
    });
    const say = (text: string, stream: 'stdout' | 'stderr' = 'stdout') => output.put({ stream, data: bytes(text) });
    const code = script({ start: begin, input, signal, sizes, say }).finally(() => output.end());
    code.catch(() => {});
    return {
      output,
      write: (data) => input.put(new TextDecoder().decode(data)),
      end: () => input.end(),
      resize: async (size) => void sizes.push(size),
      exit: () => code,
    };
  };
  return { name: 'docker', exec } as Partial<Runtime & Executor> as Runtime & Executor;
}

/** An API and an agent with one instance. */
async function listen(runtime: Runtime | undefined): Promise<TestApi> {
  let api: TestApi;
  const actors: string[] = [];
  const exec: ControlPlane['exec'] = async (_, actor, signal) => {
    actors.push(actor);
    const session = api.streams.session?.(node, signal);
    if (!session) throw new Error('no sessions');
    const opener = createStreamOpener({ api: () => ({ url: api.url }), node, password: `password-of-${node}` });
    void opener.session(session.id, never).then((connection) => serveExec(connection, copy, runtime, never));
    return session.opened;
  };
  api = await listenApi({ instances: () => [fakeInstance(name)], exec });
  cleanups.push(api.close);
  return api;
}

async function* keys(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text);
}

function fakeTerminal(given: Partial<ExecTerminal> = {}) {
  const shown = { stdout: '', stderr: '' };
  let resize = (_: { columns: number; rows: number }) => {};
  const terminal: ExecTerminal = {
    async write(stream, data) {
      shown[stream] += new TextDecoder().decode(data);
    },
    onResize(changed) {
      resize = changed;
      return () => {};
    },
    ...given,
  };
  return { shown, terminal, resize: (columns: number, rows: number) => resize({ columns, rows }) };
}

const enter = (api: TestApi, what: Partial<ExecStart>, terminal: ExecTerminal, signal = never) =>
  api.client.exec(name, 'ann', signal).then((connection) => runSession(connection, { ...start, ...what }, terminal));

describe('a session', () => {
  it('brings input down, both outputs up, and the exit code', async () => {
    const api = await listen(
      scripted(async ({ start: { command }, input, say }) => {
        let text = '';
        for await (const piece of input) text += piece;
        await say(`${command.join(' ')}: ${text}`);
        await say('oh', 'stderr');
        return 42;
      }),
    );
    const { shown, terminal } = fakeTerminal({ input: keys('grüße ', '€') });
    expect(await enter(api, { command: ['cat', '-'] }, terminal)).toBe(42);
    expect(shown).toEqual({ stdout: 'cat -: grüße €', stderr: 'oh' });
  });

  it('tells the size of the terminal, at first and when it changes', async () => {
    const seen: unknown[] = [];
    const api = await listen(
      scripted(async ({ start: { tty, size }, sizes, say }) => {
        seen.push(tty, size);
        await say('up');
        await eventually(() => sizes.length > 0);
        seen.push(...sizes);
        return 0;
      }),
    );
    const { shown, terminal, resize } = fakeTerminal();
    const ended = enter(api, { tty: true, size: { columns: 80, rows: 24 } }, terminal);
    await eventually(() => shown.stdout === 'up');
    resize(100, 30);
    expect(await ended).toBe(0);
    expect(seen).toEqual([true, { columns: 80, rows: 24 }, { columns: 100, rows: 30 }]);
  });

  it('makes a command wait for a slow reader', async () => {
    const total = 400;
    let said = 0;
    const api = await listen(
      scripted(async ({ say }) => {
        for (; said < total; said += 1) await say('x'.repeat(64 * 1024));
        return 0;
      }),
    );
    let read = 0;
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { terminal } = fakeTerminal({
      write: async (_, data) => {
        await gate;
        read += data.length;
      },
    });
    const ended = enter(api, {}, terminal);
    let before = -1;
    await eventually(() => {
      const still = said > 0 && said === before;
      before = said;
      return still;
    });
    expect(said).toBeLessThan(total);
    go();
    expect(await ended).toBe(0);
    expect(read).toBe(total * 64 * 1024);
  });

  it('is cut at the agent when the caller leaves', async () => {
    let cut = false;
    const api = await listen(
      scripted(async ({ signal, say }) => {
        await say('up');
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        cut = true;
        return 0;
      }),
    );
    const leave = new AbortController();
    const { shown, terminal } = fakeTerminal();
    const ended = codeOf(enter(api, {}, terminal, leave.signal));
    await eventually(() => shown.stdout === 'up');
    leave.abort();
    await eventually(() => cut);
    expect(await ended).toBe('UNAVAILABLE');
  });

  it('that the reconciler ends has broken off', async () => {
    const api = await listen(
      scripted(async ({ signal, say }) => {
        await say('up');
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        return 0;
      }),
    );
    const { shown, terminal } = fakeTerminal();
    const ended = codeOf(enter(api, {}, terminal));
    await eventually(() => shown.stdout === 'up');
    await api.close();
    expect(await ended).toBe('UNAVAILABLE');
  });

  it.each([
    ['REFUSED', { name: 'process' } as Runtime],
    ['NOT_FOUND', undefined],
  ])('is %s with the reason where it cannot be', async (code, runtime) => {
    const api = await listen(runtime);
    expect(await codeOf(enter(api, {}, fakeTerminal().terminal))).toBe(code);
  });

  it('tells the failure of the runtime', async () => {
    const refuses = { name: 'docker', exec: async () => Promise.reject(new ProblemError(problem('REFUSED', 'no'))) };
    const api = await listen(refuses as unknown as Runtime);
    expect(await codeOf(enter(api, {}, fakeTerminal().terminal))).toBe('REFUSED');
  });

  it('is what `oakctl exec` opens, without a terminal', async () => {
    const api = await listen(scripted(async ({ start: begin, say }) => await say(JSON.stringify(begin)).then(() => 9)));
    const home = await mkdtemp(join(tmpdir(), 'oakctl-exec-'));
    cleanups.push(() => rm(home, { recursive: true, force: true }));
    await writeFile(join(home, 'token'), testToken);
    const target = ['--api', api.url, '--token-file', join(home, 'token')];
    const ran = await runCommand('exec', [name, ...target, '--', 'ls', '-la', '--all']);
    expect(ran).toMatchObject({ code: 9, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual({ command: ['ls', '-la', '--all'], tty: false, stdin: false });
  });

  it('needs the token, and an instance', async () => {
    const api = await listen(scripted(async () => 0));
    const stranger = createApiClient({ url: api.url, token: 'wrong' });
    expect(await codeOf(stranger.exec(name, 'ann', never))).toBe('UNAUTHORIZED');
    const connection = await api.client.exec('nobody', 'ann', never);
    expect(await codeOf(runSession(connection, start, fakeTerminal().terminal))).toBe('NOT_FOUND');
  });
});
