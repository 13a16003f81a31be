/**
 * Three hosts with an engine each on a network of their own: one command makes the cluster reachable, one line each joins them, a push
 * reaches all, and one of the machines is replaced.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import type { NodeView } from '../../schemas/views.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { eventually } from '../support/eventually.ts';
import { cloneRepository, type GitRepo, git } from '../support/git-repo.ts';
import { createHandCluster, type HandCluster, type Program } from '../support/hand-cluster.ts';
import { createHosts, type Host } from '../support/hosts.ts';
import { ownAddresses } from '../support/machine.ts';
import { mayOwnEngine } from '../support/own-engine.ts';
import { folderOf, keepLogs, removeTraces } from '../support/switched-hosts.ts';

const mark = `oakh${process.pid}`;
const signal = new AbortController().signal;
const patience = { timeout: 120_000, interval: 200 };
const images = ['oakctl/hosts:1'] as const;
const [image] = images;
const port = 8080;
const site = fullName('shop', 'site');

describe.skipIf(!mayOwnEngine)('three hosts', () => {
  let hosts: readonly Host[];
  let cluster: HandCluster;
  let api: ApiClient;
  let repository: GitRepo;
  const agents = new Map<string, Program>();

  const folder = (name: string): string => join(folderOf(mark), name);
  /** `oakctl` on the host of the reconciler. */
  const oakctl = async <T>(...args: string[]): Promise<T> => {
    const [command = '', ...rest] = [...(hosts[0]?.within ?? []), process.execPath, resolve('dist/cli/bin/oakctl.js')];
    const target = ['--api', api.url, '--token-file', join(cluster.folder, 'api-token'), '-o', 'json'];
    const ca = ['--ca-file', join(cluster.folder, 'ca.pem')];
    const { stdout } = await promisify(execFile)(command, [...rest, ...args, ...target, ...ca]);
    return JSON.parse(stdout) as T;
  };
  /** Of the line that a person would paste there: what installs is tested where there is no Node. */
  const tokenOf = async (...args: string[]): Promise<string> => {
    const { line } = await oakctl<{ line: string }>(...args);
    const [token] = /oak1\.[\w.-]+/.exec(line) ?? [];
    if (token === undefined) throw new Error(`no token in ${line}`);
    return token;
  };
  /** Joins the host with this token from a folder of its own: all that is written there is said. */
  const joinHost = async ({ name, engine, within }: Host, token: string, own = name): Promise<void> => {
    await mkdir(folder(own), { recursive: true });
    const runtimes = `runtimes: { docker: { socket: ${engine.socket} } }`;
    const settings = `name: ${name}\napi: ${api.url}\ntoken: ${token}\nbeat: 500ms\n${runtimes}\n`;
    await writeFile(join(folder(own), 'agent.yaml'), settings);
    agents.set(own, await cluster.agent(folder(own), {}, within));
  };
  const nodeOf = async (name: string): Promise<NodeView> => api.node(name, signal);
  const online = (name: string, id?: string) =>
    eventually(
      async () => {
        const node = await nodeOf(name);
        return node.state === 'online' && (id === undefined || node.id !== id);
      },
      { ...patience, what: `${name} online` },
    );
  const page = async ({ address }: Host): Promise<string> =>
    (await fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(2_000) })).text();
  const answers = (host: Host) =>
    eventually(async () => (await page(host)).includes(image), { ...patience, what: `HTTP on ${host.name}` });

  beforeAll(async () => {
    hosts = await createHosts(mark, await ownAddresses(), 3, { images });
    const remote = folder('remote.git');
    await mkdir(remote, { recursive: true });
    await git(remote, 'init', '--quiet', '--bare', '--initial-branch=main');
    const place = { host: hosts[0]?.address ?? '', within: hosts[0]?.within ?? [] };
    const source = `sources: [{ name: fleet, url: ${remote}, poll: 1s }]\n`;
    cluster = await createHandCluster(folder('cluster'), `tls: auto\n${source}`, place);
    await cluster.reconciler();
    api = await cluster.api();
    const { ca } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { ca: string };
    await writeFile(join(cluster.folder, 'ca.pem'), ca);
    repository = await cloneRepository(remote);
  });
  afterAll(async () => {
    await cluster.close();
    const kept = process.env['OAKCTL_TEST_LOGS'];
    if (kept) await keepLogs(mark, kept);
    await removeTraces(mark);
  });

  it('join over TLS under the addresses that they have, and all answer after a push', async () => {
    expect(api.url).toMatch(/^https:\/\/198\.18\./);
    for (const host of hosts) {
      await joinHost(host, await tokenOf('nodes', 'add', host.name));
    }
    for (const { name, address } of hosts) {
      await online(name);
      expect(await nodeOf(name)).toMatchObject({ ip: address, advertise: address });
    }
    const text = descriptor('shop', { site: { code: image, port: `${port}:80`, replicas: 'every' } });
    await repository.push({ 'shop.yaml': text });
    await Promise.all(hosts.map(answers));
    const instances = await api.instances([site], signal);
    expect(instances.flatMap(({ addresses }) => addresses).sort()).toEqual(
      hosts.map(({ address }) => `${address}:${port}`).sort(),
    );
  });

  it('are a machine less, and as before when another one has taken its place; the old one is refused', async () => {
    const host = hosts[2] as Host;
    const { name } = host;
    const old = await nodeOf(name);
    const before = await api.instances([site], signal);
    // The machine is dead: its agent, and what it ran.
    await agents.get(name)?.stop('SIGKILL');
    for (const { Id } of await host.docker.listContainers()) await host.docker.getContainer(Id).remove({ force: true });
    await expect(page(host)).rejects.toThrow();
    await joinHost(host, await tokenOf('nodes', 'add', '--replace', name, '--force'), 'another');
    await online(name, old.id);
    await answers(host);
    const after = await api.instances([site], signal);
    expect(after.map((one) => [one.name, one.node])).toEqual(before.map((one) => [one.name, one.node]));
    const others = (list: typeof after) => list.filter((one) => one.node !== name).map(({ handle }) => handle);
    expect(others(after)).toEqual(others(before));

    agents.set(name, await cluster.agent(folder(name), {}, host.within));
    const log = () => readFile(join(folder(name), 'log'), 'utf8');
    const told = async (): Promise<boolean> => (await log()).includes('another machine took the place of host-3');
    await eventually(told, { ...patience, what: 'the reason in the log of the old one' });
    await eventually(
      async () => (await nodeOf(name)).problems.some(({ message }) => message.includes('asked to be let in')),
      { ...patience, what: 'the reason in the list of nodes' },
    );
    expect((await nodeOf(name)).id).not.toBe(old.id);
    expect(await api.nodes([], signal)).toHaveLength(3);
  });
});
