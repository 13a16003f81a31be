/** The real agent on real files with the process runtime, and nobody to talk to: neither reconciler nor broker. */
import { mkdtempSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createLedger } from '../../../agent/ledger.ts';
import { runAgent } from '../../../agent/main.ts';
import { createProcessRuntime } from '../../../agent/runtimes/process/index.ts';
import type { ActualCopy } from '../../../agent/runtimes/runtime.ts';
import { digestOf } from '../../../schemas/digest.ts';
import { createDurableFiles } from '../../../schemas/io/durable-files.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { eventually } from '../../support/eventually.ts';

const node = '0123456789abcdef';
const fingerprint = 'c'.repeat(64);
const never = new AbortController().signal;
const instance = 'only.test.sleeper.test.instance.0';
const run: RunSpec = { virtualization: 'process', code: 'sleep', cmd: ['600'] };
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A node that has joined a cluster of which nothing is left, with one process in its ledger. */
async function joinedNode(): Promise<{ folder: string; copies: () => Promise<readonly ActualCopy[]> }> {
  const folder = mkdtempSync(join(tmpdir(), 'oakctl-agent-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const state = join(folder, 'state');
  const files = createDurableFiles({ folder: state });
  const mqtt = { host: '127.0.0.1', port: 9, username: node, password: '1.mac' };
  const identity = { v: 1, id: node, name: 'w', cluster: 'gone', fingerprint, ordinal: 0, mqtt, keys: {} };
  await files.write('identity', JSON.stringify(identity));
  const digest = digestOf(run);
  await createLedger(files).save({
    fence: { epoch: 3, gen: 4, by: 'x' },
    jobs: [{ instance, copy: '3.4', want: 'run', digest, runtime: 'process', source: { name: 'direct' } }],
    documents: { [digest]: run },
  });
  const yaml = 'name: w\napi: http://127.0.0.1:9\nip: 127.0.0.12\nruntimes: { process: { allow: true } }\n';
  await writeFile(join(folder, 'agent.yaml'), yaml);
  const runtime = createProcessRuntime({
    folder: join(state, 'processes'),
    cluster: fingerprint,
    node,
    ip: '127.0.0.12',
  });
  ends.push(() => runtime.remove({ instance, copy: '3.4' }, never));
  return { folder, copies: () => runtime.list(never) };
}

function start(folder: string): () => Promise<void> {
  const controller = new AbortController();
  const ended = runAgent({ folder }, controller.signal);
  const stop = async (): Promise<void> => {
    controller.abort();
    await ended;
  };
  ends.push(stop);
  return stop;
}

describe.runIf(process.platform === 'linux')('an agent without a network', () => {
  test('starts what its ledger says, leaves it running when it stops, and adopts it when it starts again', async () => {
    const { folder, copies } = await joinedNode();
    const running = async (): Promise<ActualCopy> => {
      const [copy] = await copies();
      if (copy?.state !== 'running') throw new Error('it does not run');
      return copy;
    };
    const stop = start(folder);
    const { handle } = await eventually(running);
    await expect(runAgent({ folder }, never)).rejects.toThrow('FOLDER_LOCKED');
    await stop();
    expect(await running()).toMatchObject({ copy: '3.4', handle });
    start(folder);
    // It watches over the process that another agent started.
    process.kill(Number(handle), 'SIGKILL');
    await eventually(async () => expect((await running()).handle).not.toBe(handle));
    expect(await copies()).toHaveLength(1);
  });

  test('keeps its credential from others', async () => {
    const { folder } = await joinedNode();
    expect((await stat(join(folder, 'state', 'identity'))).mode & 0o077).toBe(0);
  });
});
