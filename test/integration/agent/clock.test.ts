/** Boards without a battery boot in 1970. The agent as built, over TLS, with a clock that a library sets back until it is told otherwise. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import { descriptor } from '../../support/descriptors.ts';
import { eventually, steadily } from '../../support/eventually.ts';
import { fakeTime, hasFakeTime, setTime } from '../../support/fake-time.ts';
import { createHandCluster, type HandCluster } from '../../support/hand-cluster.ts';

const signal = new AbortController().signal;
const patience = { timeout: 90_000 };
const name = 'shop.test.web.test';
let root: string;
let own: string;
let cluster: HandCluster;
let api: ApiClient;
let copy: number | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-clock-'));
  own = join(root, 'board');
  cluster = await createHandCluster(join(root, 'cluster'), 'tls: auto\n');
  await cluster.reconciler();
  api = await cluster.api();
  await cluster.prepareAgent(own, 'board');
});
afterEach(async () => {
  await cluster.close();
  if (copy !== undefined && isAlive(copy)) process.kill(copy, 'SIGKILL');
  await rm(root, { recursive: true, force: true });
});

const clockFile = (): string => join(root, 'clock');
/** Starts the agent at the begin of 1970. Its timers run as always. */
async function bootIn1970() {
  await setTime(clockFile(), '@1970-01-01 00:00:30');
  return cluster.agent(own, fakeTime(clockFile()));
}
const setTheClock = () => setTime(clockFile(), '+0');
const log = () => readFile(join(own, 'log'), 'utf8');
const state = async () => (await api.nodes([], signal)).find((node) => node.name === 'board')?.state;

/** The process of the only copy, as its shim noted it. */
async function pidOnDisk(): Promise<number> {
  const folder = join(own, 'state', 'processes');
  const [only = ''] = await readdir(folder);
  const text = await readFile(join(folder, only, 'process'), 'utf8');
  const pid = Number(text.split(' ')[1]);
  expect(isAlive(pid)).toBe(true);
  return pid;
}
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasFakeTime)('an agent that boots in 1970', () => {
  it('waits with its join until the time is set, and says what it waits for', async () => {
    const agent = await bootIn1970();
    await eventually(async () => {
      const text = await log();
      expect(text).toContain('join_waits');
      expect(text).toContain('CERT_NOT_YET_VALID');
      expect(text).toContain('is the clock of this machine right?');
    }, patience);
    expect(await state()).toBeUndefined();
    await setTheClock();
    await eventually(async () => expect(await state()).toBe('online'), patience);
    expect(agent.alive).toBe(true);
  });

  it('starts what its ledger says, and connects once the time is set', async () => {
    const before = await cluster.agent(own);
    const sleeper = { virtualization: 'process' as const, code: 'sleep', cmd: ['86400'] };
    await eventually(async () => expect(await state()).toBe('online'), patience);
    const text = descriptor('shop', { web: sleeper });
    await api.deploy({ documents: [{ file: 'shop.json', text }] }, signal);
    await eventually(async () => expect((await api.service(name, signal)).outcome).toBe('settled'), patience);
    // The machine goes off: everything on it ends.
    await before.stop('SIGKILL');
    const old = await pidOnDisk();
    process.kill(old, 'SIGKILL');
    await eventually(async () => expect(await state()).not.toBe('online'), patience);

    const agent = await bootIn1970();
    copy = await eventually(async () => {
      const pid = await pidOnDisk();
      expect(pid).not.toBe(old);
      return pid;
    }, patience);
    await steadily(async () => (await state()) !== 'online', 2_000, 'its absence');
    await setTheClock();
    await eventually(async () => expect(await state()).toBe('online'), patience);
    await eventually(async () => expect((await api.service(name, signal)).outcome).toBe('settled'), patience);
    expect(await pidOnDisk()).toBe(copy);
    expect(agent.alive).toBe(true);
  });
});
