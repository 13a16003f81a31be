/** Hosts with an engine each, which can lose their power, their link, and come back. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { ensureDemoImage } from '../../../cli/demo-image.ts';
import { type OwnEngine, startOwnEngine } from '../../support/own-engine.ts';
import { type Cable, createNetwork, folderOf } from '../../support/switched-hosts.ts';

export interface Host extends Cable {
  readonly name: string;
  readonly engine: OwnEngine;
  /** Without a time limit: for streams. */
  readonly docker: Docker;
}

/** Two versions of one image, on every host. */
export const images = ['oakctl/bench:1', 'oakctl/bench:2'] as const;

/** Swarm asks the registry even for what is there, unless the engine is told so: fair where there is no registry. */
export const preferLocal = { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' };

/** Throws with the engine's log when one does not start. */
export async function createHosts(mark: string, block: number, count: number): Promise<readonly Host[]> {
  const cables = await createNetwork(mark, block, count);
  return Promise.all(
    cables.map(async (cable, index) => {
      const name = `host-${index + 1}`;
      const folder = join(folderOf(mark), name);
      await mkdir(folder, { recursive: true });
      const flags = ['--cgroup-parent', `/${mark}`];
      const engine = await startOwnEngine({ folder, within: cable.within, flags, env: preferLocal });
      for (const image of images) await ensureDemoImage(engine.socket, image, { html: `${image}\n` });
      return { ...cable, name, engine, docker: new Docker({ socketPath: engine.socket }) };
    }),
  );
}

/** How many containers with this label (`key=value`) run on each host; none on one whose engine does not answer. */
export function runningOn(hosts: readonly Host[], label: string): Promise<number[]> {
  const filters = { label: [label] };
  return Promise.all(
    hosts.map(({ docker }) =>
      docker.listContainers({ filters }).then(
        ({ length }) => length,
        () => 0,
      ),
    ),
  );
}

/** Containers with this label in any state, on all hosts. */
export async function countAll(hosts: readonly Host[], label: string): Promise<number> {
  const filters = { label: [label] };
  const lists = await Promise.all(hosts.map(({ docker }) => docker.listContainers({ all: true, filters })));
  return lists.flat().length;
}
