/** A reconciler moves to another host, here another address: backed up there, restored here, both published, the first stopped. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { program } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { createHandCluster, type HandCluster, type Program } from '../support/hand-cluster.ts';
import { endLives, livesOf } from '../support/lives.ts';
import { ownAddresses, ownPort, unique } from '../support/machine.ts';

const signal = new AbortController().signal;
/** Of the second host: where its API and broker listen. */
const second = { host: '127.0.0.2', offset: 20 };
const app = unique('move');

await describeWithEngine('a reconciler that moves', (socketPath) => {
  const docker = new Docker({ socketPath });
  const workers = ['w1', 'w2', 'w3'];
  let root: string;
  let first: HandCluster;
  let next: HandCluster;
  const made: HandCluster[] = [];
  let old: Program;
  const agents = new Map<string, Program>();
  let fingerprint = '';
  let image: string;

  const oakctl = (...args: string[]) => promisify(execFile)(process.execPath, [program, ...args], { cwd: root });
  const deploy = (api: ApiClient, services: Parameters<typeof descriptor>[1]) =>
    api.deploy({ documents: [{ file: 'a.json', text: descriptor(app, services) }] }, signal);
  const settled = (api: ApiClient, healthy: number) =>
    eventually(async () => expect((await api.status(signal)).instances).toEqual({ wanted: healthy, healthy }), {
      timeout: 90_000,
      what: `${healthy} healthy instances`,
    });
  const online = async (api: ApiClient) =>
    (await api.nodes([], signal)).filter(({ state }) => state === 'online').map(({ name }) => name);
  const containers = () => livesOf(docker, fingerprint);

  beforeAll(async () => {
    image = await buildImage('oakctl/test:1', { text: 'version 1' });
    root = await mkdtemp(join(tmpdir(), 'oakctl-move-'));
    const at = async (offset: number) => `${second.host}:${await ownPort(150 + second.offset + offset)}`;
    const there = `{ api: "https://${await at(0)}", mqtt: "mqtts://${await at(1)}" }`;
    first = await createHandCluster(join(root, 'first'), `tls: auto\nendpoints: [${there}]\n`);
    made.push(first);
    old = await first.reconciler();
    fingerprint = (await (await first.api()).status(signal)).fingerprint;
    for (const [index, name] of workers.entries()) {
      const node = { ip: `127.0.${await ownAddresses()}.${13 + index}` };
      await first.prepareAgent(join(root, name), name, `runtimes: { docker: { socket: ${socketPath} } }\n`, node);
      agents.set(name, await first.agent(join(root, name)));
    }
    await deploy(await first.api(), { web: { code: image, replicas: 4, memory: 16 } });
    await settled(await first.api(), 4);
  });
  afterAll(async () => {
    for (const one of made) await one.close();
    await endLives(docker, fingerprint);
    await rm(root, { recursive: true, force: true });
  });

  it('takes all nodes along within 60 s, and restarts nothing, also of what came after the backup', async () => {
    await oakctl('backup', '--folder', first.folder, '--out', 'fleet.backup');
    await deploy(await first.api(), {
      web: { code: image, replicas: 4, memory: 16 },
      late: { code: image, memory: 16 },
    });
    await settled(await first.api(), 5);
    const before = await containers();
    expect(before.size).toBe(5);

    // Its own cluster.yaml is there already, as on a host that was prepared.
    next = await createHandCluster(join(root, 'next'), 'tls: auto\n', second);
    made.push(next);
    await oakctl('restore', 'fleet.backup', '--folder', next.folder);
    await old.stop();
    const began = performance.now();
    await next.reconciler();
    const api = await next.api();
    await eventually(async () => expect((await online(api)).sort()).toEqual(workers), { timeout: 60_000 });
    expect(performance.now() - began).toBeLessThan(60_000);

    await eventually(async () => expect((await api.status(signal)).phase).toBe('running'), { timeout: 60_000 });
    const late = fullName(app, 'late');
    await eventually(
      async () =>
        expect((await api.status(signal)).holds.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
          `ORPHANED ${late}`,
        ]),
      { timeout: 60_000 },
    );
    expect(await containers()).toEqual(before);
    // It commands them: what it knows nothing of is adopted as it is, and more of what it knows is started.
    await deploy(api, { web: { code: image, replicas: 5, memory: 16 }, late: { code: image, memory: 16 } });
    await settled(api, 6);
    const after = await containers();
    for (const [id, start] of before) expect(after.get(id)).toBe(start);
  });

  it('is not disturbed by the old one that is started again: that ends before it says anything', async () => {
    const before = await containers();
    const again = await first.startReconciler();
    expect(await again.ended).not.toBe(0);
    expect(await readFile(join(first.folder, 'log'), 'utf8')).toContain('RIVAL_RECONCILER');
    const api = await next.api();
    expect((await online(api)).sort()).toEqual(workers);
    expect(await containers()).toEqual(before);
  });

  it('is found again by agents that were started meanwhile', async () => {
    const before = await containers();
    await agents.get('w1')?.stop();
    const api = await next.api();
    await eventually(async () => expect(await online(api)).not.toContain('w1'), { timeout: 60_000 });
    await first.agent(join(root, 'w1'));
    await eventually(async () => expect((await online(api)).sort()).toEqual(workers), { timeout: 60_000 });
    expect(await containers()).toEqual(before);
  });
});
