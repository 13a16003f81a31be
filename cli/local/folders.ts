/** What lies where in a cluster that `oakctl up` made. */
import { join, resolve } from 'node:path';
import { clusterFolder } from '../home.ts';

export interface LocalPaths {
  readonly name: string;
  readonly folder: string;
  /** Says that `up` made the cluster: `stop`, `down` and `up` touch no other. */
  readonly marker: string;
  readonly settings: string;
  readonly repository: string;
  readonly endpoints: string;
  readonly token: string;
  readonly run: string;
  readonly logs: string;
  worker(name: string): WorkerPaths;
  /** Pid and log file of `reconciler` or of a worker. */
  pid(process: string): string;
  log(process: string): string;
}

export interface WorkerPaths {
  readonly folder: string;
  readonly settings: string;
  readonly state: string;
  /** Its own secrets. Absolute. */
  readonly secrets: string;
}

export function localPaths(home: string, name: string): LocalPaths {
  const folder = clusterFolder(home, name);
  const run = join(folder, 'run');
  const logs = join(folder, 'logs');
  return {
    name,
    folder,
    run,
    logs,
    marker: join(folder, 'local.json'),
    settings: join(folder, 'cluster.yaml'),
    repository: join(folder, 'repository.git'),
    endpoints: join(folder, 'endpoints.json'),
    token: join(folder, 'api-token'),
    worker(worker) {
      const own = join(folder, 'workers', worker);
      const secrets = resolve(own, 'secrets');
      return { folder: own, settings: join(own, 'agent.yaml'), state: join(own, 'state'), secrets };
    },
    pid: (process) => join(run, `${process}.pid`),
    log: (process) => join(logs, `${process}.log`),
  };
}
