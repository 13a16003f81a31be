import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CredentialsFile, createCredentialsFile } from '../../../reconciler/broker/credentials-file.ts';
import { createSystemRandom } from '../../../schemas/io/clock.ts';
import { mosquittoPasswordLine } from '../../../schemas/io/mosquitto-passwords.ts';
import type { ExternalBroker } from '../../../schemas/settings-broker.ts';
import { eventually } from '../../support/eventually.ts';
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

let folder: string;
let file: string;
let clock: VirtualClock;
const open: CredentialsFile[] = [];
const a = { id: 'aaaaaaaaaaaaaaaa', serial: 1 };
const b = { id: 'bbbbbbbbbbbbbbbb', serial: 2 };

function create(credentials: Partial<NonNullable<ExternalBroker['credentials']>> = {}): CredentialsFile {
  const made = createCredentialsFile({
    credentials: { file, format: 'mosquitto', ...credentials },
    cluster: 'test',
    reconciler: { name: 'reconciler', password: 'r' },
    operatorPassword: 'o',
    passwordOf: (node, serial) => `${serial}.${node}`,
    clock,
    random: createSystemRandom(),
    log: () => undefined,
  });
  open.push(made);
  return made;
}
const lines = async () => (await readFile(file, 'utf8').catch(() => '')).trim().split('\n');
const names = async () => (await lines()).map((line) => line.split(':')[0]);
const told = join(tmpdir(), `oakctl-told-${process.pid}`);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-credentials-'));
  file = join(folder, 'passwords');
  clock = createVirtualClock();
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await rm(folder, { recursive: true, force: true });
  await rm(told, { force: true });
});

it('follows the list of nodes, keeps lines that are right and those of other reconcilers, and tells the broker of changes', async () => {
  const standby = await mosquittoPasswordLine('reconciler-2', 'x', new Uint8Array(12));
  await writeFile(file, `${standby}\nsomebody:$7$101$a$b\n`);
  await chmod(file, 0o640);
  const tell = ['/bin/sh', '-c', `echo told >> ${told}`];
  const credentials = create({ reload: { kind: 'run', argv: tell } });
  credentials.setNodes([a, b]);
  await eventually(async () => expect(await names()).toEqual(['reconciler', 'operator', 'reconciler-2', a.id, b.id]));
  const [, operator = '', other, lineOfA = ''] = await lines();
  expect(other).toBe(standby);
  const saltOfOperator = Buffer.from(operator.split('$')[3] ?? '', 'base64');
  expect(operator).toBe(await mosquittoPasswordLine('operator', 'o', saltOfOperator));
  const salt = Buffer.from(lineOfA.split('$')[3] ?? '', 'base64');
  expect(lineOfA).toBe(await mosquittoPasswordLine(a.id, `1.${a.id}`, salt));
  expect((await stat(file)).mode & 0o777).toBe(0o640);
  const count = async () => (await readFile(told, 'utf8')).trim().split('\n').length;
  await eventually(async () => (await count()) === 1);

  credentials.setNodes([a]);
  await eventually(async () => (await names()).length === 4);
  expect((await lines())[3]).toBe(lineOfA);
  await eventually(async () => (await count()) === 2);
  const again = create({ reload: { kind: 'run', argv: tell } });
  again.setNodes([a]);
  await again.close();
  expect(await count()).toBe(2);
  expect(credentials.conditions()).toEqual([]);
});

it('says that the broker was not told, and tells it again until it works', async () => {
  const script = join(folder, 'reload');
  const credentials = create({ reload: { kind: 'run', argv: [script] } });
  credentials.setNodes([a]);
  await eventually(() => credentials.conditions().length === 1);
  expect(credentials.conditions()[0]).toMatchObject({ code: 'BROKER_NOT_TOLD', file });
  await writeFile(script, `#!/bin/sh\ntouch ${told}\n`, { mode: 0o700 });
  await eventually(async () => {
    await clock.advance(5_000);
    return credentials.conditions().length === 0;
  });
  expect((await stat(told)).isFile()).toBe(true);
});

it('says that the file cannot be written, and never leaves half of one', async () => {
  await mkdir(file);
  const credentials = create({ reload: { kind: 'signal', pidFile: join(folder, 'pid') } });
  credentials.setNodes([a]);
  await eventually(() => credentials.conditions().length === 1);
  await rm(file, { recursive: true });
  // A pid file that names everybody, or nobody.
  await writeFile(join(folder, 'pid'), '-1\n');
  await eventually(async () => {
    await clock.advance(5_000);
    expect(await names()).toEqual(['reconciler', 'operator', a.id]);
    expect(credentials.conditions()[0]?.message).toContain('holds no process id');
  });
});

it('lists the users of NATS, never none', async () => {
  const credentials = create({ format: 'nats' });
  credentials.setNodes([]);
  await eventually(async () => expect((await readFile(file, 'utf8')).match(/\{user: "/g)).toHaveLength(2));
  credentials.setNodes([b]);
  await eventually(async () =>
    expect(await readFile(file, 'utf8')).toContain(`{user: "${b.id}", password: "2.${b.id}"`),
  );
  expect(await readFile(file, 'utf8')).toContain('{user: "reconciler", password: "r"');
});
