/**
 * Hosts as network namespaces on one switch, with cables that can be pulled; and the removal of all that a bench made, whatever
 * became of it: everything bears its mark, and nothing that does not is touched.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.ts';
import { containersBelow, killNow, removeSockets, systemPath, unmountBelow } from './own-engine.ts';

const run = promisify(execFile);
const prefix = 'oakf';
const links = '/sys/class/net';

/** What everything of the bench in process `pid` is called. Short: it is the name of an interface, too. */
export const markOf = (pid: number): string => `${prefix}${pid}`;

/** Everything on disk of the bench with this mark. */
export const folderOf = (mark: string): string => join(tmpdir(), mark);

/** Runs `ip`, throws what it says. */
async function ip(...args: string[]): Promise<string> {
  const { stdout } = await run('ip', args, { env: { ...process.env, PATH: systemPath } });
  return stdout;
}

export interface Cable {
  /** Of the host; the only one on it. */
  readonly address: string;
  /** What starts a command on the host. */
  readonly within: readonly string[];
  pull(): Promise<void>;
  plug(): Promise<void>;
}

/**
 * `count` hosts and this machine on a switch of their own, with addresses `198.18.<block>.<n>` (a range for benchmarks). What hosts
 * send elsewhere is swallowed, as by a site whose uplink is dead.
 */
export async function createNetwork(mark: string, block: number, count: number): Promise<readonly Cable[]> {
  const hub = `${mark}-hub`;
  const address = (n: number): string => `198.18.${block}.${n}`;
  await ip('netns', 'add', hub);
  await ip('-n', hub, 'link', 'add', 'switch', 'type', 'bridge');
  await ip('-n', hub, 'addr', 'add', `${address(253)}/24`, 'dev', 'switch');
  await ip('-n', hub, 'link', 'set', 'switch', 'up');
  await ip('link', 'add', mark, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', hub);
  await ip('-n', hub, 'link', 'set', 'dev', 'uplink', 'master', 'switch', 'up');
  await ip('addr', 'add', `${address(254)}/24`, 'dev', mark);
  await ip('link', 'set', mark, 'up');
  const cables: Cable[] = [];
  for (let n = 1; n <= count; n += 1) {
    const [host, port] = [`${mark}-${n}`, `port${n}`];
    await ip('netns', 'add', host);
    await ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    await ip('-n', hub, 'link', 'set', 'dev', port, 'master', 'switch', 'up');
    await ip('-n', host, 'link', 'set', 'lo', 'up');
    await ip('-n', host, 'addr', 'add', `${address(n)}/24`, 'dev', 'eth0');
    await ip('-n', host, 'link', 'set', 'eth0', 'up');
    await ip('-n', host, 'route', 'add', 'default', 'via', address(253));
    cables.push({
      address: address(n),
      within: ['nsenter', `--net=/run/netns/${host}`],
      // At the switch: the host keeps its address, and sees that the carrier is gone.
      pull: async () => void (await ip('-n', hub, 'link', 'set', port, 'down')),
      plug: async () => void (await ip('-n', hub, 'link', 'set', port, 'up')),
    });
  }
  return cables;
}

/** Ends every process and removes every namespace, mount, folder and control group of the bench with this mark. */
export async function removeTraces(mark: string): Promise<void> {
  const folder = folderOf(mark);
  const namespaces = (await namespaceNames()).filter((name) => name.startsWith(`${mark}-`));
  const inside = async (): Promise<number[]> => {
    const lists = await Promise.all(namespaces.map((name) => ip('netns', 'pids', name)));
    return lists.flatMap((list) => list.split('\n').filter(Boolean).map(Number));
  };
  // Whatever starts while others are killed is met in the next round.
  const what = `the end of all processes of ${mark}`;
  await eventually(
    async () => {
      const pids = [...(await containersBelow(folder)), ...(await inside()), ...(await membersOf(mark))];
      for (const pid of pids) killNow(pid);
      return pids.length === 0;
    },
    { what },
  );
  for (const host of await namesIn(folder)) await removeSockets(join(folder, host));
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  // Before the namespace with its other end, which goes on in the background.
  if (existsSync(`${links}/${mark}`)) await ip('link', 'del', mark);
  for (const name of namespaces) await ip('netns', 'del', name);
  await removeGroups(mark);
}

/** Copies the logs of all processes into a folder that stays. */
export async function keepLogs(mark: string, kept: string): Promise<void> {
  const folder = folderOf(mark);
  for (const entry of await namesIn(folder)) {
    await cp(join(folder, entry, 'log'), join(kept, mark, `${entry}.log`)).catch(() => undefined);
  }
}

/** What benches left that ended without a chance to clean up. */
export async function removeEarlier(): Promise<readonly string[]> {
  const groups = await Promise.all((await groupRoots()).map(namesIn));
  const named = [
    ...(await namespaceNames()),
    ...(await namesIn(tmpdir())),
    ...(await namesIn(links)),
    ...groups.flat(),
  ];
  const marks = new Set(named.flatMap((name) => new RegExp(`^${prefix}\\d+(?=-|$)`).exec(name)?.[0] ?? []));
  const removed: string[] = [];
  for (const mark of marks) {
    const pid = Number(mark.slice(prefix.length));
    if (pid !== process.pid && (await isBench(pid))) continue;
    await removeTraces(mark);
    removed.push(mark);
  }
  return removed;
}

async function isBench(pid: number): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.includes('bench/failover');
}

async function namespaceNames(): Promise<string[]> {
  return (await ip('netns', 'list')).split('\n').flatMap((line) => line.split(' ')[0] || []);
}

/** Those of containers whose engine did not live to remove them. */
async function removeGroups(mark: string): Promise<void> {
  const groups = (await groupRoots()).map((root) => join(root, mark));
  const gone = async (): Promise<boolean> => {
    for (const group of groups) await removeGroup(group);
    return !groups.some(existsSync);
  };
  // Who was killed is in its group until the kernel is done with it.
  await eventually(gone, { timeout: 10_000, what: `the end of the control groups of ${mark}` });
}

/** Who is in one of them: also what was just being started when its engine died, and is nobody's child. */
async function membersOf(mark: string): Promise<number[]> {
  const pids: number[] = [];
  const read = async (group: string): Promise<void> => {
    const text = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
    pids.push(...text.split('\n').filter(Boolean).map(Number));
    for (const name of await foldersIn(group)) await read(join(group, name));
  };
  for (const root of await groupRoots()) await read(join(root, mark));
  return [...new Set(pids)];
}

/** One for all, or one for each kind of resource. */
async function groupRoots(): Promise<string[]> {
  const root = '/sys/fs/cgroup';
  return [root, ...(await namesIn(root)).map((name) => join(root, name))];
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function removeGroup(folder: string): Promise<void> {
  for (const name of await foldersIn(folder)) await removeGroup(join(folder, name));
  await rmdir(folder).catch(() => undefined);
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
