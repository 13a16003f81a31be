/**
 * A real cable is pulled: a host behind a switch of its own loses its link, while its containers go on. Its class says when it is
 * lost; what it had runs elsewhere; and once the link is back exactly what runs twice goes, within a second.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { onLines } from '../bench/engine-events.ts';
import { callApi } from '../support/cluster.ts';
import { descriptor } from '../support/descriptors.ts';
import { buildImage, engineAnswers, engineSocket } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { createHandCluster, type HandCluster } from '../support/hand-cluster.ts';
import { ownAddresses, slowness, unique } from '../support/machine.ts';
import { mayOwnEngine } from '../support/own-engine.ts';
import { type Cable, createNetwork, folderOf, removeTraces } from '../support/switched-hosts.ts';

const mark = `oakc${process.pid}`;
const app = unique('cut');
const replicas = 6;
const hosts = ['one', 'two', 'three'];
/** ms of class `fast` until a silent node is lost, and after a start in which none is. */
const lostAfter = 2_000;
const grace = 16_000;
const forever = new AbortController().signal;

interface Change {
  readonly action: string;
  readonly id: string;
  /** ms since 1970 on this machine. */
  readonly at: number;
}

describe.skipIf(!mayOwnEngine || !(await engineAnswers()))('a link that is cut', () => {
  let hand: HandCluster | undefined;
  let api: ApiClient;
  let docker: Docker;
  let cables: readonly Cable[];
  let label = '';
  let began = 0;
  const changes: Change[] = [];
  let stream: Readable | undefined;

  /** Id and node of what runs, by instance. */
  const running = async (): Promise<{ id: string; node: string; instance: string }[]> =>
    (await docker.listContainers({ filters: { label: [label] } })).map(({ Id, Labels }) => ({
      id: Id,
      node: Labels['io.oakctl.node'] ?? '',
      instance: Labels['io.oakctl.instance'] ?? '',
    }));
  const events = async (kind: ClusterEvent['kind'], subject: string): Promise<ClusterEvent[]> => {
    const found: ClusterEvent[] = [];
    for await (const event of api.events({}, forever)) {
      if (event.kind === kind && event.subject === subject) found.push(event);
    }
    return found;
  };
  const stateOf = async (name: string): Promise<string | undefined> =>
    (await api.nodes([], forever)).find((node) => node.name === name)?.state;
  const whole = async (): Promise<void> =>
    expect(await api.services([], forever)).toMatchObject([{ outcome: 'settled', healthy: replicas }]);
  const ended = (): string[] => changes.flatMap(({ action, id }) => (action === 'die' ? [id] : []));

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    docker = new Docker({ socketPath: await engineSocket() });
    await mkdir(folderOf(mark), { recursive: true });
    cables = await createNetwork(mark, await ownAddresses(), hosts.length);
    const [first] = cables as [Cable];
    const place = { host: first.address, within: first.within, nodeClass: 'fast', offset: 6 } as const;
    const made = await createHandCluster(join(folderOf(mark), 'cluster'), 'tls: auto\n', place);
    hand = made;
    await made.reconciler();
    began = performance.now();
    api = await made.api();
    label = `io.oakctl.cluster=${(await api.status(forever)).fingerprint}`;
    const runtimes = `runtimes: { docker: { socket: ${await engineSocket()} } }\n`;
    for (const [at, { address, within }] of cables.entries()) {
      const folder = join(folderOf(mark), hosts[at] ?? '');
      await made.prepareAgent(folder, hosts[at] ?? '', runtimes, { ip: address });
      await made.agent(folder, {}, within);
    }
    await eventually(async () => expect(await Promise.all(hosts.map(stateOf))).toEqual(hosts.map(() => 'online')));
    const filters = JSON.stringify({ type: ['container'], event: ['start', 'die'], label: [label] });
    stream = (await docker.getEvents({ filters })) as Readable;
    onLines(stream, (line) => {
      const { Action, id, timeNano } = JSON.parse(line) as { Action: string; id: string; timeNano: number };
      changes.push({ action: Action, id, at: timeNano / 1e6 });
    });
    const text = descriptor(app, { web: { code, replicas, stop_grace: '0s', update: { settle: '0s' } } });
    await callApi(made.folder, 'POST', 'deploy', { documents: [{ file: 'web.yaml', text }] });
    await eventually(whole, { timeout: 60_000 });
  });
  afterAll(async () => {
    stream?.destroy();
    await hand?.close();
    const filters = { label: [label] };
    for (const { Id } of label ? await docker.listContainers({ all: true, filters }) : []) {
      await docker.getContainer(Id).remove({ force: true });
    }
    for (const { Id } of label ? await docker.listNetworks({ filters }) : []) await docker.getNetwork(Id).remove();
    await removeTraces(mark);
  });

  it('costs nobody else anything, and what ran twice meanwhile is gone within a second of the first report', async () => {
    const before = await running();
    const id = (await api.nodes([], forever)).find(({ name }) => name === 'three')?.id;
    const cutOff = before.filter(({ node }) => node === id);
    expect(cutOff).toHaveLength(replicas / hosts.length);
    // After a start nobody is taken for lost for a while.
    await eventually(() => performance.now() - began > grace, { timeout: grace });

    const slow = await slowness();
    const cable = cables.at(-1) as Cable;
    const cut = Date.now();
    await cable.pull();
    await eventually(async () => expect(await stateOf('three')).toBe('lost'), { timeout: 60_000 });
    // The last beat was at most half a second before the cut.
    expect(Date.now() - cut).toBeGreaterThan(lostAfter - 600);
    expect(Date.now() - cut).toBeLessThan(lostAfter + 3_000 * slow);
    await eventually(async () => expect(await running()).toHaveLength(replicas + cutOff.length), { timeout: 60_000 });
    await eventually(whole, { timeout: 60_000 });
    await steadily(async () => expect(await running()).toHaveLength(replicas + cutOff.length), 1_000);
    expect(ended()).toEqual([]);

    const plugged = Date.now();
    await cable.plug();
    await eventually(async () => expect(await running()).toHaveLength(replicas), { timeout: 60_000 });
    await eventually(whole, { timeout: 60_000 });
    await eventually(async () => expect(await stateOf('three')).toBe('online'));
    await steadily(async () => expect(await running()).toHaveLength(replicas), 1_000);

    // Exactly the copies that were replaced have ended, and nothing else was touched.
    expect(ended().sort()).toEqual(cutOff.map((one) => one.id).sort());
    const now = await running();
    expect(new Set(now.map(({ instance }) => instance)).size).toBe(replicas);
    for (const one of before) if (one.node !== id) expect(now).toContainEqual(one);
    expect(changes.filter(({ action }) => action === 'start')).toHaveLength(replicas + cutOff.length);
    // Another one may be of the start: its class takes little for silence.
    const returned = (await events('node_returned', 'node/three')).find(({ at }) => at >= plugged);
    const last = Math.max(...changes.flatMap(({ action, at }) => (action === 'die' ? [at] : [])));
    expect(last - (returned?.at ?? 0)).toBeLessThan(1_000 * Math.max(slow, await slowness()));
  });
});
