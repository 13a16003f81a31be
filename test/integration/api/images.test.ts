import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveLoad } from '../../../agent/image-load.ts';
import type { ImageLoader } from '../../../agent/runtimes/runtime.ts';
import { createStreamOpener } from '../../../agent/streams.ts';
import { type ImageArchive, readImageArchive } from '../../../cli/services/image-archive.ts';
import { sendArchive } from '../../../cli/services/load-images.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import { dataFrame } from '../../../schemas/exec.ts';
import { loadFrame, loadWindow } from '../../../schemas/image-load.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import type { NodeView } from '../../../schemas/views.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { runCommand } from '../../support/commands.ts';
import { eventually } from '../../support/eventually.ts';
import { idOf, imageTar } from '../../support/image-tar.ts';

const never = new AbortController().signal;
const node = 'aabbccddeeff0011';
const shop = { names: ['shop:1.4'], content: randomBytes(6_000_000) };
const loaded = [{ id: idOf(shop), names: ['shop:1.4'] }];

let folder: string;
let file: string;
let archive: ImageArchive;
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-images-'));
  file = join(folder, 'shop.tar');
  await writeFile(file, imageTar([shop]));
  archive = await readImageArchive(file, never);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (isProblemError(error) ? error.problem.code : error),
  );

/** An engine that keeps what it is fed: `gate` is waited for before each piece. */
function engine(gate: () => unknown = () => {}) {
  const state = { bytes: 0, whole: false, cut: false, has: false, loads: 0 };
  const loader: ImageLoader = {
    ownImages: async (images) =>
      state.has ? { already: true, images: images.map(({ ids, names }) => ({ id: ids[0] ?? '', names })) } : undefined,
    async loadImages(pieces, signal) {
      state.loads += 1;
      try {
        for await (const piece of pieces) {
          await gate();
          signal.throwIfAborted();
          state.bytes += piece.length;
        }
        state.whole = true;
        state.has = true;
      } finally {
        state.cut = !state.whole;
      }
    },
  };
  return { state, loader };
}

const noEngine = problem('REFUSED', 'this node has no container engine');

/** An API, and an agent with this engine. */
async function listen(loader: ImageLoader | Problem): Promise<TestApi> {
  let api: TestApi;
  const loadImages: ControlPlane['loadImages'] = async (id, _, signal) => {
    const session = api.streams.session?.(id, signal);
    if (!session) throw new Error('no sessions');
    const opener = createStreamOpener({ api: () => ({ url: api.url }), node: id, password: `password-of-${id}` });
    void opener.session(session.id, never).then((connection) => serveLoad(connection, loader, never));
    return session.opened;
  };
  const view = (name: string, id: string) =>
    ({ name, id, aliases: [], state: 'online', labels: { zone: name } }) as Partial<NodeView> as NodeView;
  api = await listenApi({ nodes: () => [view('edge-1', node), view('edge-2', 'aabbccddeeff0022')], loadImages });
  cleanups.push(api.close);
  return api;
}

const send = async (api: TestApi, signal = never, moved: (taken: number) => void = () => {}) =>
  sendArchive(await api.client.loadImages('edge-1', 'ann', signal), archive, moved);

describe('an archive of images', () => {
  it('arrives whole, once, and the engine has its images; again, nothing is sent', async () => {
    const { state, loader } = engine();
    const api = await listen(loader);
    const taken: number[] = [];
    expect(await send(api, never, (bytes) => taken.push(bytes))).toEqual({ already: false, images: loaded });
    expect(state).toMatchObject({ bytes: archive.bytes, whole: true, loads: 1 });
    expect(taken.at(-1)).toBe(archive.bytes);
    expect(taken).toEqual([...taken].sort((a, b) => a - b));
    expect(await send(api)).toEqual({ already: true, images: loaded });
    expect(state.loads).toBe(1);
  });

  it('waits for a slow engine: no more than a window is on its way', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { state, loader } = engine(() => gate);
    const api = await listen(loader);
    const connection = await api.client.loadImages('edge-1', 'ann', never);
    let sent = 0;
    const counted = {
      ...connection,
      send: async (frame: Uint8Array) => {
        await connection.send(frame);
        sent += frame.length;
      },
    };
    const ended = sendArchive(counted, archive, () => {});
    let before = -1;
    await eventually(() => {
      const still = sent > 100_000 && sent === before;
      before = sent;
      return still;
    });
    expect(sent).toBeLessThan(loadWindow + 512 * 1024);
    expect(sent).toBeLessThan(archive.bytes / 2);
    open();
    expect(await ended).toMatchObject({ already: false });
    expect(state.bytes).toBe(archive.bytes);
  });

  it('that its sender leaves is cut at the engine', async () => {
    const leave = new AbortController();
    const { state, loader } = engine(() => (state.bytes > 1_000_000 ? leave.abort() : undefined));
    const ended = codeOf(send(await listen(loader), leave.signal));
    await eventually(() => state.cut);
    expect(await ended).not.toBe('no failure');
    expect(state.has).toBe(false);
  });

  it('has broken off when the reconciler ends', async () => {
    let api: TestApi;
    let closing: Promise<void> | undefined;
    const { state, loader } = engine(() => {
      if (state.bytes > 1_000_000) closing ??= api.close();
    });
    api = await listen(loader);
    expect(await codeOf(send(api))).toBe('UNAVAILABLE');
    await eventually(() => state.cut);
    await closing;
  });

  it('is refused with the reason of the node, in the middle too', async () => {
    const full: ImageLoader = {
      ownImages: async () => undefined,
      async loadImages(pieces) {
        let bytes = 0;
        for await (const piece of pieces) {
          bytes += piece.length;
          if (bytes > 2_000_000) throw new ProblemError(problem('IMAGE_NO_SPACE', 'no space left on device'));
        }
      },
    };
    expect(await codeOf(send(await listen(full)))).toBe('IMAGE_NO_SPACE');
    expect(await codeOf(send(await listen(noEngine)))).toBe('REFUSED');
    const loses: ImageLoader = { ...engine().loader, ownImages: async () => undefined };
    expect(await codeOf(send(await listen(loses)))).toBe('IMAGE_LOAD_FAILED');
  });

  it('that became shorter meanwhile is not loaded', async () => {
    const { state, loader } = engine();
    await truncate(file, archive.bytes - 1_000_000);
    expect(await codeOf(send(await listen(loader)))).toBe('ARCHIVE_INVALID');
    await eventually(() => state.cut);
    expect(state.has).toBe(false);
  });

  it('is not taken beyond its length or its window, and begins with what it is', async () => {
    const first = loadFrame({ start: { images: [...archive.images], bytes: 100 } });
    for (const frames of [
      [first, dataFrame('stdin', Buffer.alloc(101))],
      [first, dataFrame('stdin', Buffer.alloc(99)), loadFrame({ end: true })],
      [dataFrame('stdin', Buffer.alloc(1))],
      [Buffer.from('\u0009?')],
    ]) {
      const { state, loader } = engine();
      const connection = await (await listen(loader)).client.loadImages('edge-1', 'ann', never);
      for (const frame of frames) await connection.send(frame).catch(() => {});
      const said: string[] = [];
      for await (const raw of connection.frames) said.push(Buffer.from(raw).toString());
      expect(said.at(-1)).toContain('BAD_REQUEST');
      expect(state.whole).toBe(false);
    }
  });

  it('needs the token, and a node', async () => {
    const api = await listen(engine().loader);
    const stranger = createApiClient({ url: api.url, token: 'wrong' });
    expect(await codeOf(stranger.loadImages('edge-1', 'ann', never))).toBe('UNAUTHORIZED');
    const connection = await api.client.loadImages('nobody', 'ann', never);
    expect(await codeOf(sendArchive(connection, archive, () => {}))).toBe('NOT_FOUND');
  });

  it('goes by `oakctl images load` to the nodes that are named, with a result for each', async () => {
    const { loader } = engine();
    const api = await listen(loader);
    await writeFile(join(folder, 'token'), testToken);
    const target = ['--api', api.url, '--token-file', join(folder, 'token'), '-o', 'json'];
    const first = await runCommand('images load', [file, '--label', 'zone=edge-2', ...target]);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout)).toEqual({ items: [{ node: 'edge-2', state: 'loaded', images: loaded }] });
    expect(first.stderr).toContain('edge-2');
    const all = await runCommand('images load', [file, ...target]);
    const states = JSON.parse(all.stdout).items.map((one: { node: string; state: string }) => [one.node, one.state]);
    expect(states).toEqual([
      ['edge-1', 'present'],
      ['edge-2', 'present'],
    ]);
  });

  it('that one node refuses ends with 1, and goes to the others', async () => {
    const api = await listen(engine().loader);
    await writeFile(join(folder, 'token'), testToken);
    const target = ['--api', api.url, '--token-file', join(folder, 'token'), '-o', 'json'];
    await expect(runCommand('images load', [file, '--label', 'zone=nowhere', ...target])).resolves.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no node has zone=nowhere'),
    });
    const refusing = await listen(noEngine);
    const ran = await runCommand('images load', [
      file,
      ...['--api', refusing.url, '--token-file', join(folder, 'token'), '--node', 'edge-1'],
    ]);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/edge-1 +failed .*REFUSED: this node has no container engine/);
  });
});
