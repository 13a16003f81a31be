/**
 * Every file in which a cluster keeps something that nobody else could give back: whatever a dying disk made of it, its content is
 * there again, also if it was written only once. New files of that kind get a row here.
 */
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrJoin } from '../../agent/join.ts';
import { createLedger } from '../../agent/ledger.ts';
import { createCopyStore } from '../../agent/runtimes/process/store.ts';
import { localPaths } from '../../cli/local/folders.ts';
import { readMarker, writeMarker } from '../../cli/local/marker.ts';
import { emptyRecords } from '../../reconciler/core/records.ts';
import { openApiToken } from '../../reconciler/keys/api-token.ts';
import { openKeys } from '../../reconciler/keys/keys.ts';
import { createRecordsStore } from '../../reconciler/store/records-store.ts';
import { createSystemRandom } from '../../schemas/io/clock.ts';
import { createDurableFiles } from '../../schemas/io/durable-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-state-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const random = createSystemRandom();
const never = (): never => {
  throw new Error('nobody is asked');
};
const identity = {
  v: 1,
  id: '0123456789abcdef',
  name: 'w',
  cluster: 'c',
  fingerprint: 'f'.repeat(64),
  ordinal: 0,
  mqtt: { host: '127.0.0.1', port: 1, username: 'u', password: 'p' },
  keys: {},
};
const joinDeps = () => ({
  files: createDurableFiles({ folder }),
  clock: { now: never, after: never },
  random,
  connect: never,
  askTls: never,
});
const job = {
  instance: 'a.b.c.d.instance.0',
  copy: '1.1',
  want: 'run' as const,
  digest: `1:${'a'.repeat(64)}`,
  runtime: 'process' as const,
  source: { name: 'direct' },
};
const run = { virtualization: 'process' as const, code: 'sleep' };
const store = () => createCopyStore(folder, { cluster: 'c', node: 'n' });

interface Row {
  readonly file: string;
  /** Writes it once. */
  readonly write: () => Promise<unknown>;
  /** Reads it as the program does; whatever comes must be the same before and after. */
  readonly read: () => Promise<unknown>;
}

const rows: Readonly<Record<string, Row>> = {
  'the records of the reconciler': {
    file: 'records.json',
    write: () => createRecordsStore({ folder }).save({ ...emptyRecords, epoch: 7 }),
    read: () => createRecordsStore({ folder }).load(),
  },
  'the master key': {
    file: 'identity/master.key',
    write: () => openKeys({ folder, cluster: 'c', random }),
    read: async () => (await openKeys({ folder, cluster: 'c', random, create: false })).fingerprint,
  },
  'the token of the API': {
    file: 'api-token',
    write: () => openApiToken(join(folder, 'api-token'), random),
    read: () => openApiToken(join(folder, 'api-token'), random),
  },
  'the ledger of an agent': {
    file: 'ledger-0',
    write: () =>
      createLedger(createDurableFiles({ folder })).save({
        fence: { epoch: 1, gen: 1, by: 'x' },
        jobs: [],
        documents: {},
      }),
    read: async () => {
      const ledger = createLedger(createDurableFiles({ folder }));
      return [await ledger.load(), ledger.known(), ledger.part()];
    },
  },
  'the identity of a node': {
    file: 'identity',
    write: () => createDurableFiles({ folder }).write('identity', JSON.stringify(identity)),
    read: () => loadOrJoin(joinDeps(), { name: 'w', ip: '127.0.0.1', version: '1' }, new AbortController().signal),
  },
  'the record of a process': {
    file: 'a.b.c.d.instance.0.1.1/copy.json',
    write: () => store().create({ instance: job.instance, copy: job.copy, digest: job.digest, run }),
    read: async () => (await store().list()).copies.map(({ record }) => record),
  },
  'the marker of a cluster on this machine': {
    file: 'clusters/c/local.json',
    write: async () => {
      const paths = localPaths(folder, 'c');
      await writeMarker(paths, { version: 1, runtime: 'process', block: 7, workers: [] });
      await readMarker(paths);
    },
    read: () => readMarker(localPaths(folder, 'c')),
  },
};

const damages: Readonly<Record<string, (file: string) => Promise<void>>> = {
  empty: (file) => truncate(file, 0),
  truncated: async (file) => truncate(file, Math.floor((await readFile(file)).length / 2)),
  'zero-filled': async (file) => writeFile(file, Buffer.alloc((await readFile(file)).length)),
  null: (file) => writeFile(file, 'null'),
};

describe.each(Object.entries(rows))('%s', (_name, { file, write, read }) => {
  it.each(Object.entries(damages))('comes back when its file is %s, and again', async (_damage, damage) => {
    await write();
    const before = await read();
    expect(before).not.toEqual([]);
    for (let time = 0; time < 2; time += 1) {
      await damage(join(folder, file));
      expect(await read()).toEqual(before);
    }
    const left = (await readdir(folder, { recursive: true })).filter((name) => /[.~][0-9a-f]{16}$/.test(name));
    expect(left).toEqual([]);
  });
});
