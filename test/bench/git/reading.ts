/** What a repository costs whoever follows it: polls, the first sync, reading its descriptors. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { composeSnapshot, readFile as readSource } from '../../../reconciler/core/snapshot.ts';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';
import { sha256 } from '../../../schemas/digest.ts';
import { selectPaths } from '../../../schemas/selection.ts';
import type { GitServer } from '../../support/git-server.ts';
import { childrenOf } from '../proc.ts';
import { median } from '../table.ts';
import { descriptorOf, pathOf } from './history.ts';

const signal = new AbortController().signal;
const where = { cluster: 'bench', path: '' };

export interface FirstSync {
  readonly ms: number;
  readonly requests: number;
  /** That the server sent. */
  readonly bytes: number;
  /** Of the mirror on disk. */
  readonly disk: number;
  /** MiB of the largest process of git on this side. */
  readonly memory: number;
}

/** From nothing to the texts of all descriptors. */
export async function firstSync(server: GitServer, url: string, folder: string): Promise<FirstSync> {
  const source = sourceOf(url, folder);
  server.forget();
  const peak = watchGit(folder);
  const began = performance.now();
  const head = await source.head(signal);
  await source.fetch(head, signal);
  const tree = selectPaths(await source.tree(head, '', signal), where).filter(({ path }) => path.endsWith('.yaml'));
  await source.blobs(
    tree.map(({ blob }) => blob),
    signal,
  );
  const ms = performance.now() - began;
  return {
    ms,
    requests: server.requests.length,
    bytes: server.sent,
    disk: await bytesOf(folder),
    memory: await peak(),
  };
}

export interface Poll {
  readonly ms: number;
  readonly requests: number;
  readonly bytes: number;
}

/** Looks at a head that does not change; the mean of requests and bytes, the median of the time. */
export async function unchangedPolls(server: GitServer, url: string, folder: string, times: number): Promise<Poll> {
  const source = sourceOf(url, folder);
  await source.head(signal);
  server.forget();
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const began = performance.now();
    await source.head(signal);
    took.push(performance.now() - began);
  }
  return { ms: median(took), requests: server.requests.length / times, bytes: server.sent / times };
}

/** ms to read so many descriptors, one service each, and to compose the snapshot of them. */
export function parsed(count: number): number {
  const files = Array.from({ length: count }, (_, n) => {
    const text = descriptorOf(n);
    return { path: pathOf(n), text, blob: sha256(text), mode: '100644' };
  });
  const began = performance.now();
  const now = selectPaths(files, where).map((file) => {
    return { path: file.path, blob: file.blob, reading: readSource(file, where) };
  });
  const snapshot = composeSnapshot({ source: 'bench', commit: 'c', previous: undefined, now, before: [] });
  const ms = performance.now() - began;
  if (snapshot.services.size !== count) throw new Error(`${snapshot.services.size} services of ${count}`);
  return ms;
}

function sourceOf(url: string, folder: string) {
  const repository = createGitRepository({ name: 'bench', url, folder });
  return createGitSource({ name: 'bench', branch: 'main', repository });
}

async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}

/** Looks at the processes below this one that work in a folder; answers what the largest of them had. */
function watchGit(folder: string): () => Promise<number> {
  let most = 0;
  const over = new AbortController();
  const look = async (pid: number): Promise<void> => {
    const text = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const [line, status] = await Promise.all([text('cmdline'), text('status')]);
    const here = line.includes(folder) || /(index-pack|unpack-objects|remote-https?)/.test(line);
    if (here) most = Math.max(most, Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    await Promise.all((await childrenOf(pid)).map(look));
  };
  const watching = (async () => {
    while (!over.signal.aborted) {
      await Promise.all((await childrenOf(process.pid)).map(look));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    over.abort();
    await watching;
    return most;
  };
}
