/** Hosts with an engine each, which can lose their power, their link, and come back. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { ensureDemoImage } from '../../cli/demo-image.ts';
import { type OwnEngine, startOwnEngine } from './own-engine.ts';
import { type Cable, createNetwork, folderOf } from './switched-hosts.ts';

export interface Host extends Cable {
  readonly name: string;
  readonly engine: OwnEngine;
  /** Without a time limit: for streams. */
  readonly docker: Docker;
}

/** What each host has. */
export interface Equipment {
  /** Images whose page says their name. */
  readonly images: readonly string[];
  /** Environment of the engine. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Throws with the engine's log when one does not start. */
export async function createHosts(
  mark: string,
  block: number,
  count: number,
  { images, env = {} }: Equipment,
): Promise<readonly Host[]> {
  const cables = await createNetwork(mark, block, count);
  return Promise.all(
    cables.map(async (cable, index) => {
      const name = `host-${index + 1}`;
      const folder = join(folderOf(mark), name);
      await mkdir(folder, { recursive: true });
      const flags = ['--cgroup-parent', `/${mark}`];
      const engine = await startOwnEngine({ folder, within: cable.within, flags, env });
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
