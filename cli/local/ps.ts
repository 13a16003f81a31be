/** `oakctl ps`: the processes of a cluster on this machine, and what their cluster says about them. */

import { createApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { NodeView } from '../../schemas/views.ts';
import { endpointOf, readEndpoint, resolveTarget } from '../contexts.ts';
import type { Listing } from '../render/output.ts';
import { paintState } from '../render/paint.ts';
import { localPaths } from './folders.ts';
import { requireMarker } from './marker.ts';
import { runningPid } from './processes.ts';

export interface ProcessRow {
  /** `reconciler`, or a worker. */
  readonly name: string;
  readonly state: 'up' | 'down';
  readonly pid?: number;
  /** Where it listens, or its own address. */
  readonly address?: string;
  /** Of a worker: what the cluster thinks of it. */
  readonly node?: string;
  readonly instances?: number;
}

/** NOT_FOUND, REFUSED when there is no such cluster made by `up`. A reconciler that is down only leaves columns empty. */
export async function processRows(home: string, name: string, signal: AbortSignal): Promise<readonly ProcessRow[]> {
  const paths = localPaths(home, name);
  const marker = await requireMarker(paths);
  const nodes = await nodesOf(home, name, signal);
  const endpoint = await readEndpoint(paths.folder);
  const row = async (process: string): Promise<ProcessRow> => {
    const pid = await runningPid(paths.pid(process));
    return { name: process, state: pid === undefined ? 'down' : 'up', ...(pid === undefined ? {} : { pid }) };
  };
  const reconciler = await row('reconciler');
  const workers = marker.workers.map(async (worker) => {
    const node = nodes.find((one) => one.name === worker.name);
    const known = node ? { node: node.state, instances: node.instances } : {};
    return { ...(await row(worker.name)), address: worker.ip, ...known };
  });
  const address = endpoint && reconciler.state === 'up' ? { address: endpoint.api } : {};
  return [{ ...reconciler, ...address }, ...(await Promise.all(workers))];
}

async function nodesOf(home: string, name: string, signal: AbortSignal): Promise<readonly NodeView[]> {
  try {
    const target = await resolveTarget({ context: name }, {}, home);
    return await createApiClient(endpointOf(target)).nodes([], signal);
  } catch (error) {
    if (isProblemError(error)) return [];
    throw error;
  }
}

export const processListing: Listing<ProcessRow> = {
  nameOf: (row) => row.name,
  empty: 'No processes.',
  columns: (paint) => [
    { title: 'NAME', value: (row) => row.name },
    { title: 'STATE', value: (row) => row.state, paint: (text) => paintState(paint, text) },
    { title: 'PID', value: (row) => row.pid, right: true },
    { title: 'ADDRESS', value: (row) => row.address },
    { title: 'NODE', value: (row) => row.node, paint: (text) => paintState(paint, text) },
    { title: 'INSTANCES', value: (row) => row.instances, right: true },
  ],
};
