/** The containers of one cluster on an engine that others use as well. */
import type Docker from 'dockerode';

const ofCluster = (fingerprint: string) => ({ filters: { label: [`io.oakctl.cluster=${fingerprint}`] } });

/** Of all states, by id: the name, and the moment of the last start. */
export async function livesOf(docker: Docker, fingerprint: string): Promise<ReadonlyMap<string, string>> {
  const found = await docker.listContainers({ all: true, ...ofCluster(fingerprint) });
  const states = await Promise.all(found.map(({ Id }) => docker.getContainer(Id).inspect()));
  return new Map(states.map(({ Id, Name, State }) => [Id, `${Name} ${State.StartedAt}`]));
}

/** Takes them and their networks away. */
export async function endLives(docker: Docker, fingerprint: string): Promise<void> {
  for (const id of (await livesOf(docker, fingerprint)).keys()) await docker.getContainer(id).remove({ force: true });
  for (const { Id } of await docker.listNetworks(ofCluster(fingerprint))) await docker.getNetwork(Id).remove();
}
