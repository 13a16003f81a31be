/** The measurements. Times are taken at the engines' event streams; what each system says about itself is only checked. */

import { type Host, runningOn } from '../../support/hosts.ts';
import { createBareEngine, timed } from '../bare.ts';
import { countEvents } from '../engine-events.ts';
import { deployAndDelete } from '../work.ts';
import { images, preferLocal } from './equipment.ts';
import type { FleetKind } from './fleet.ts';
import type { Site, Subject } from './site.ts';
import type { SwarmKind } from './swarm.ts';

/** Takes a figure in ms. */
export type Note = (series: string, ms: number) => void;

const replicas = 10;
const lost = replicas / 2;

/** By the name that `--only` takes, in the order in which a round goes through them. */
export const measurements: Readonly<Record<string, (site: Site, note: Note) => Promise<void>>> = {
  'lan-kill': (site, note) => killedBoth(site, 'lan', 'default', note),
  'lan-cut': (site, note) => cutBoth(site, 'lan', 'default', note),
  'fast-kill': (site, note) => killedBoth(site, 'fast', 'tuned', note),
  'fast-cut': (site, note) => cutBoth(site, 'fast', 'tuned', note),
  crash: crashed,
  rolling,
  'remove-1': async (site, note) => note('remove-1', (await upAndDown(site, 1, note)).down),
  'remove-50': async (site, note) => note('remove-50', (await upAndDown(site, 50, note)).down),
  offline,
};

async function killedBoth(site: Site, fleet: FleetKind, swarm: SwarmKind, note: Note): Promise<void> {
  note(`${fleet}-kill`, await killed(site, await site.fleetSubject(fleet)));
  note(`${swarm}-kill`, await killed(site, await site.swarmSubject(swarm)));
}

/** ms from the death of a host with half of the replicas until all run again. */
async function killed(site: Site, subject: Subject): Promise<number> {
  const { victim, others } = await prepared(site, subject);
  const counter = await countEvents(subject.label, others);
  try {
    const again = counter.next('start', lost);
    const ms = await timed(() => Promise.all([site.kill(victim), again]));
    await subject.whole(replicas);
    return ms;
  } finally {
    counter.close();
    await site.revive(victim);
    await subject.clear();
  }
}

async function cutBoth(site: Site, fleet: FleetKind, swarm: SwarmKind, note: Note): Promise<void> {
  await cut(site, await site.fleetSubject(fleet), fleet, note);
  await cut(site, await site.swarmSubject(swarm), swarm, note);
}

/** Until all run again without the host; and once its link is back, until what runs twice is stopped. */
async function cut(site: Site, subject: Subject, series: string, note: Note): Promise<void> {
  const { victim, others } = await prepared(site, subject);
  const everywhere = site.hosts.map(({ docker }) => docker);
  const started = await countEvents(subject.label, others);
  const stopped = await countEvents(subject.label, everywhere);
  const returned = await subject.awaitReturn(victim);
  try {
    const again = started.next('start', lost);
    note(`${series}-cut`, await timed(() => Promise.all([victim.pull(), again])));
    await subject.whole(replicas);
    const gone = stopped.next('die', lost);
    const plugged = performance.now();
    await victim.plug();
    const [heard, ended] = await Promise.all([moment(returned.back), moment(gone)]);
    note(`${series}-heal`, Math.max(0, ended - heard));
    note(`${series}-back`, ended - plugged);
  } finally {
    for (const one of [started, stopped, returned]) one.close();
    await victim.plug();
    await site.ready();
    await subject.clear();
  }
}

async function moment(event: Promise<unknown>): Promise<number> {
  await event;
  return performance.now();
}

/** Ten replicas run, five of them on the victim. */
async function prepared(site: Site, subject: Subject): Promise<{ victim: Host; others: Host['docker'][] }> {
  await site.ready();
  await subject.start(replicas);
  const counts = await runningOn(site.workers, subject.label);
  if (counts.some((count) => count !== lost)) {
    await subject.clear();
    throw new Error(`the replicas are spread ${counts.join(' and ')}`);
  }
  const victim = site.workers.at(-1) as Host;
  return { victim, others: site.hosts.filter((host) => host !== victim).map(({ docker }) => docker) };
}

/** The first process of a container is killed. */
async function crashed(site: Site, note: Note): Promise<void> {
  const subject = await site.fleetSubject('lan');
  await site.ready();
  await subject.start(1);
  const counter = await countEvents(
    subject.label,
    site.hosts.map(({ docker }) => docker),
  );
  try {
    const pid = await firstPid(site, subject.label);
    // A crash in the moment after the start is another matter.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const again = counter.next('start', 1);
    const work = async (): Promise<void> => {
      process.kill(pid, 'SIGKILL');
      await again;
    };
    note('crash', await timed(work));
  } finally {
    counter.close();
    await subject.clear();
  }
  await withBare(site, async (bare) => {
    await bare.start(1);
    note('bare-crash', await bare.crash());
  });
}

async function firstPid(site: Site, label: string): Promise<number> {
  for (const { docker } of site.hosts) {
    const [found] = await docker.listContainers({ filters: { label: [label] } });
    if (found) return (await docker.getContainer(found.Id).inspect()).State.Pid;
  }
  throw new Error('no container runs');
}

/** Another image for all, one after the other; beside it the sum of what an engine needs for that. */
async function rolling(site: Site, note: Note): Promise<void> {
  const fleet = await site.fleet('lan');
  const subject = await site.fleetSubject('lan');
  await site.ready();
  await subject.start(replicas);
  const counter = await countEvents(
    fleet.label,
    site.hosts.map(({ docker }) => docker),
  );
  try {
    const done = [counter.next('start', replicas), counter.next('destroy', replicas)];
    note('rolling', await timed(() => Promise.all([...done, fleet.deploy(replicas, images[1])])));
    await subject.whole(replicas);
  } finally {
    counter.close();
    await subject.clear();
  }
  await withBare(site, async (bare) => {
    await bare.start(replicas);
    note('bare-rolling', await bare.replace());
  });
}

async function upAndDown(
  site: Site,
  count: number,
  note: Note,
): Promise<{ readonly up: number; readonly down: number }> {
  const fleet = await site.fleet('lan');
  await site.ready();
  const counter = await countEvents(
    fleet.label,
    site.hosts.map(({ docker }) => docker),
  );
  try {
    const measured = await deployAndDelete(fleet, counter, fleet.service, count);
    await withBare(site, async (bare) => {
      note(`bare-start-${count}`, await bare.start(count));
      note(`bare-remove-${count}`, await bare.remove());
    });
    return measured;
  } finally {
    counter.close();
  }
}

/** No host reaches a registry. Swarm as it comes asks one all the same. */
async function offline(site: Site, note: Note): Promise<void> {
  note('offline', (await upAndDown(site, 1, () => undefined)).up);
  const swarm = await site.swarm();
  const host = site.workers.at(-1) as Host;
  await site.kill(host);
  await site.revive(host, { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '' });
  const counter = await countEvents(swarm.label, [host.docker]);
  try {
    const work = () => Promise.all([counter.next('start', 1), swarm.create(1, 'default', host)]);
    note('swarm-offline', await timed(work));
  } finally {
    counter.close();
    await swarm.remove();
    await site.kill(host);
    await site.revive(host, preferLocal);
  }
}

async function withBare(
  site: Site,
  work: (bare: Awaited<ReturnType<typeof createBareEngine>>) => Promise<void>,
): Promise<void> {
  const sockets = site.workers.map(({ engine }) => engine.socket);
  const bare = await createBareEngine(images[0], ['sleep', '1000000'], 'failover', sockets);
  try {
    await work(bare);
  } finally {
    await bare.close();
  }
}
