/** Copies of a worker whose agent is gone. */
import { forgetSecrets } from '../../schemas/io/secret-folders.ts';
import type { LocalEngine } from './engine.ts';
import type { LocalPaths } from './folders.ts';
import type { LocalWorker, Marker } from './marker.ts';
import { endProcesses } from './process-copies.ts';

export interface CopiesOf {
  readonly paths: LocalPaths;
  readonly marker: Marker;
  readonly worker: LocalWorker;
  /** Of a cluster with the docker runtime. */
  readonly engine: LocalEngine | undefined;
}

/** Stops (politely), kills or removes the copies of a worker, and forgets their secrets; answers how many there were. A worker that never joined has none. */
export async function endCopies(of: CopiesOf, how: 'stop' | 'kill' | 'remove'): Promise<number> {
  const count = await endAll(of, how);
  if (of.worker.id !== undefined) await forgetSecrets(of.worker.id, process.env);
  return count;
}

async function endAll(of: CopiesOf, how: 'stop' | 'kill' | 'remove'): Promise<number> {
  const processes = await endProcesses(of.paths.worker(of.worker.name).folder, how === 'kill');
  const { fingerprint } = of.marker;
  const node = of.worker.id;
  if (fingerprint === undefined || node === undefined || !of.engine) return processes;
  const scope = { fingerprint, node };
  if (how === 'stop') return processes + (await of.engine.stopContainers(scope));
  if (how === 'kill') return processes + (await of.engine.killContainers(scope));
  return processes + (await of.engine.removeContainers(scope));
}
