import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localPaths } from '../../../cli/local/folders.ts';
import { writeMarker } from '../../../cli/local/marker.ts';
import { untilListening } from '../../../cli/local/start.ts';
import { up } from '../../../cli/local/up.ts';
import { steadily } from '../../support/eventually.ts';

const { signal } = new AbortController();
let home: string;
let server: Server | undefined;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-up-'));
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(home, { recursive: true, force: true });
});

describe('up', () => {
  it('waits for a reconciler that an interrupted `up` started and that does not listen yet', async () => {
    const paths = localPaths(home, 'one');
    await mkdir(dirname(paths.pid('reconciler')), { recursive: true });
    await writeFile(paths.pid('reconciler'), JSON.stringify({ pid: process.pid }));
    const made = createServer(({ url }, response) => response.writeHead(url === '/livez' ? 200 : 404).end());
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const api = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
    const announce = (pid: number) => writeFile(paths.endpoints, JSON.stringify({ api, mqtt: '', pid }));

    // Of the reconciler before it, and something answers there.
    await announce(process.pid + 1);
    let isDone = false;
    const done = untilListening(paths, process.pid, signal).then(() => {
      isDone = true;
    });
    await steadily(() => !isDone, 300, 'waiting');
    await announce(process.pid);
    await done;
  });

  it('of a worker that there is not starts nothing', async () => {
    const paths = localPaths(home, 'one');
    await writeMarker(paths, { version: 1, runtime: 'process', block: 0, workers: [] });
    const options = { home, env: {}, name: 'one', only: 'worker-9', workers: 1, program: 'none', say: () => undefined };
    await expect(up(options, signal)).rejects.toMatchObject({ problem: { code: 'NOT_FOUND' } });
    expect(await readdir(join(paths.folder, 'logs')).catch(() => [])).toEqual([]);
  });

  it('that is refused leaves no name of a cluster behind', async () => {
    const options = {
      home,
      env: { DOCKER_HOST: 'unix:///nonexistent.sock' },
      name: 'one',
      runtime: 'docker' as const,
      program: 'none',
      say: () => undefined,
    };
    await expect(up(options, signal)).rejects.toMatchObject({ problem: { code: 'RUNTIME_UNAVAILABLE' } });
    expect(await readdir(join(home, 'clusters'))).toEqual([]);
  });
});
