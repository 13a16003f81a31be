import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backup, restore } from '../../../reconciler/backup-main.ts';
import { emptyRecords, type Records } from '../../../reconciler/core/records.ts';
import { openKeys } from '../../../reconciler/keys/keys.ts';
import { createRecordsStore } from '../../../reconciler/store/records-store.ts';
import { lockFolder } from '../../../schemas/io/folder-lock.ts';
import { settingsOfEnvironment } from '../../../schemas/settings-environment.ts';
import { createSeededRandom } from '../../support/virtual-clock.ts';

let root: string;
let from: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-backup-'));
  from = join(root, 'from');
  await mkdir(from);
  await writeFile(join(from, 'cluster.yaml'), 'cluster: home\n');
  await writeFile(join(from, 'api-token'), 'token\n', { mode: 0o600 });
  await keysOf(from, true);
  await saveRecords(from, { ...emptyRecords, epoch: 7, nextOrdinal: 3 });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const keysOf = (folder: string, create = false) =>
  openKeys({ folder, cluster: 'home', random: createSeededRandom(3), create });
const recordsIn = (folder: string): Promise<Records> => createRecordsStore({ folder: join(folder, 'records') }).load();
const saveRecords = (folder: string, records: Records) =>
  createRecordsStore({ folder: join(folder, 'records') }).save(records);
const taken = async (passphrase?: string) => (await backup(from, { now: 5, ...(passphrase && { passphrase }) })).text;
const restoreTo = (text: string, to = join(root, 'to'), force = false) =>
  restore(text, { file: 'a.backup', folderOf: () => to, force, now: 0 });

describe('a backup', () => {
  it('makes the same cluster elsewhere, above all that was ever said', async () => {
    const restored = await restoreTo(await taken());
    expect(restored).toMatchObject({ cluster: 'home', epoch: 1_000_000, nodes: 0, kept: [], settings: true });
    expect((await keysOf(restored.folder)).fingerprint).toBe((await keysOf(from)).fingerprint);
    expect(await recordsIn(restored.folder)).toMatchObject({ epoch: 1_000_000, nextOrdinal: 3, restored: 7 });
    expect(await readFile(join(restored.folder, 'api-token'), 'utf8')).toBe('token\n');
    for (const path of ['identity/master.key', 'api-token', 'records/records.json']) {
      expect((await stat(join(restored.folder, path))).mode & 0o077, path).toBe(0);
    }
  });

  it('holds the logins of registries, for their owner only; a host that has some keeps its own', async () => {
    const logins = 'registries:\n  registry.example.org: { username: fleet, password: secret }\n';
    await writeFile(join(from, 'registries.yaml'), logins, { mode: 0o600 });
    const { folder } = await restoreTo(await taken());
    const file = join(folder, 'registries.yaml');
    expect(await readFile(file, 'utf8')).toBe(logins);
    expect((await stat(file)).mode & 0o077).toBe(0);
    await writeFile(file, 'registries: {}\n');
    expect(await restoreTo(await taken(), folder, true)).toMatchObject({
      kept: expect.arrayContaining(['registries.yaml']),
    });
    expect(await readFile(file, 'utf8')).toBe('registries: {}\n');
  });

  it('of a cluster that is set by its environment needs that, and holds none of it', async () => {
    await rm(join(from, 'cluster.yaml'));
    await expect(taken()).rejects.toThrow(/SETTINGS_INVALID.*environment/);
    const { given } = settingsOfEnvironment({ CLUSTER_NAME: 'home', OAKCTL_BIND: '0.0.0.0' });
    if (!given) throw new Error('no settings');
    const { text, summary } = await backup(from, { now: 5, given });
    expect(summary).toMatchObject({ cluster: 'home', epoch: 7 });
    const restored = await restoreTo(text);
    expect(restored).toMatchObject({ cluster: 'home', settings: false });
    expect(await readdir(restored.folder)).not.toContain('cluster.yaml');
    expect((await keysOf(restored.folder)).fingerprint).toBe(summary.fingerprint);
  });

  it('says so when it cannot be restored to a folder', async () => {
    await expect(restoreTo(await taken(), join(from, 'api-token', 'there'))).rejects.toThrow(
      /FILE_UNWRITABLE.*ENOTDIR/,
    );
  });

  it('changes nothing where it is taken, and may be taken while a reconciler runs there', async () => {
    const lock = await lockFolder(join(from, 'records'));
    const before = await readdir(join(from, 'records'));
    expect(await taken()).toContain('oakctl-backup 1 open ');
    expect(await readdir(join(from, 'records'))).toEqual(before);
    await lock.release();
  });

  it('does not replace a cluster, unless that is wanted: then what was there is put aside', async () => {
    const text = await taken();
    const { folder } = await restoreTo(text);
    await expect(restoreTo(text)).rejects.toThrow(/REFUSED.*there already.*--force/);
    await writeFile(join(folder, 'cluster.yaml'), 'cluster: home\n# of this host\n');
    const again = await restoreTo(text, folder, true);
    expect(again).toMatchObject({ epoch: 2_000_000, kept: ['cluster.yaml', 'api-token'] });
    expect((await readdir(join(again.aside ?? '', 'records'))).sort()).toEqual(['records.json', 'records.json~']);
    expect(await readFile(join(folder, 'cluster.yaml'), 'utf8')).toContain('of this host');
    expect((await keysOf(folder)).fingerprint).toBe(again.fingerprint);
  });

  it('is not restored under a reconciler that runs', async () => {
    const { folder } = await restoreTo(await taken());
    const lock = await lockFolder(join(folder, 'records'));
    await expect(restoreTo(await taken(), folder, true)).rejects.toThrow(/FOLDER_LOCKED/);
    await lock.release();
  });

  it('that was interrupted starts nothing, and is completed by the same again', async () => {
    const text = await taken();
    const { folder } = await restoreTo(text);
    await rm(join(folder, 'identity'), { recursive: true });
    await expect(keysOf(folder)).rejects.toThrow(/master key is missing/);
    await restoreTo(text, folder, true);
    expect((await keysOf(folder)).fingerprint).toBe((await keysOf(from)).fingerprint);
  });

  it('leaves nothing behind where it is refused', async () => {
    await expect(restoreTo('nothing')).rejects.toThrow(/BACKUP_INVALID/);
    const torn = (await taken()).replace('"epoch', '"ep0ch');
    await expect(restoreTo(torn)).rejects.toThrow(/BACKUP_INVALID/);
    expect(await readdir(root)).toEqual(['from']);
  });

  it('needs a cluster that was there', async () => {
    await rm(join(from, 'records'), { recursive: true });
    await expect(taken()).rejects.toThrow(/NOT_FOUND.*no reconciler ever ran/);
    await saveRecords(from, { ...emptyRecords, epoch: 1 });
    await chmod(join(from, 'identity/master.key'), 0o644);
    await expect(taken()).rejects.toThrow(/others may read/);
  });
});
