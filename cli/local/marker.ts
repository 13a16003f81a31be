/** The marker of a cluster that `up` made, and what must be known while its reconciler is down. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readTwin } from '../../schemas/io/twin-file.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { LocalPaths } from './folders.ts';

export interface LocalWorker {
  readonly name: string;
  /** Own loopback address, so that workers can publish the same port. */
  readonly ip: string;
  /** Node id, once it has joined: containers carry it. */
  readonly id?: string;
}

export interface Marker {
  readonly version: 1;
  readonly runtime: RuntimeName;
  /** Of the Engine, with the docker runtime. */
  readonly socket?: string;
  /** Third number of the workers' addresses 127.0.<block>.n; clusters of one home have different ones. */
  readonly block: number;
  /** Of the cluster's key: containers carry it. */
  readonly fingerprint?: string;
  readonly workers: readonly LocalWorker[];
}

/** undefined when there is none. FILE_DAMAGED when it cannot be understood. */
export async function readMarker(paths: LocalPaths): Promise<Marker | undefined> {
  const found = await readTwin(paths.marker, (text) => parseMarker(text) !== undefined);
  if ('text' in found) return parseMarker(found.text);
  if (!found.damaged) return undefined;
  const hint = 'move it away, and `oakctl up` treats the cluster as one that was made by hand';
  throw new ProblemError(problem('FILE_DAMAGED', `${paths.marker} is not what was written`, { hint }));
}

function parseMarker(text: string): Marker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    return marker?.version === 1 && Array.isArray(marker.workers) ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

export async function writeMarker(paths: LocalPaths, marker: Marker): Promise<void> {
  await replaceFile(paths.marker, `${JSON.stringify(marker, undefined, 2)}\n`);
}

/** The marker of a cluster that exists; NOT_FOUND without a cluster, REFUSED for one that `up` did not make. */
export async function requireMarker(paths: LocalPaths): Promise<Marker> {
  const marker = await readMarker(paths);
  if (marker) return marker;
  const exists = await readFile(paths.settings).then(
    () => true,
    () => false,
  );
  throw new ProblemError(
    exists
      ? problem('REFUSED', `the cluster ${paths.name} was not made by \`oakctl up\`: it is left alone`)
      : problem('NOT_FOUND', `there is no cluster ${paths.name} on this machine`, {
          hint: `\`oakctl up --name ${paths.name}\` makes one`,
        }),
  );
}

/** The worker of this name; NOT_FOUND with the names that there are. */
export function requireWorker(marker: Marker, name: string): LocalWorker {
  const worker = marker.workers.find((one) => one.name === name);
  if (worker) return worker;
  const known = marker.workers.map((one) => one.name).join(', ');
  throw new ProblemError(problem('NOT_FOUND', `there is no worker ${name}`, { hint: `the workers are ${known}` }));
}

/** Those that `up [name]` is about: all, one, or with `reconciler` none. NOT_FOUND as above. */
export function workersMeant(marker: Marker, name: string | undefined): readonly LocalWorker[] {
  if (name === undefined) return marker.workers;
  return name === 'reconciler' ? [] : [requireWorker(marker, name)];
}

/** Writes a file whole, or not at all; only the user can read it. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, path);
}

/** Has a cluster on this machine a worker of that name? Not when there is no such cluster. */
export async function hasWorker(paths: LocalPaths, name: string): Promise<boolean> {
  return (await readMarker(paths))?.workers.some((one) => one.name === name) ?? false;
}
