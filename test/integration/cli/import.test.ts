import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { importFile } from '../../../cli/services/import.ts';
import { writeNew } from '../../../cli/services/new-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-import-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const text = `services:
  web:
    image: web:$TAG
    env_file: web.env
    volumes: [./site.conf:/etc/site.conf, ./folder:/folder, ./none:/none]
`;

it('takes what lies beside the compose file, and the environment before it', async () => {
  await writeFile(join(folder, 'docker-compose.yml'), text);
  await writeFile(join(folder, '.env'), 'TAG=1\n');
  await writeFile(join(folder, 'web.env'), 'MODE=x\n');
  await writeFile(join(folder, 'site.conf'), 'listen 80\n');
  await mkdir(join(folder, 'folder'));
  const { descriptor, problems } = await importFile(folder, { env: {} });
  expect(descriptor['applications']).toEqual([
    {
      application_name: basename(folder),
      microservices: [
        {
          microservice_name: 'web',
          code: 'web:1',
          environment: ['MODE=x'],
          files: [{ path: '/etc/site.conf', from: './site.conf' }],
        },
      ],
    },
  ]);
  expect(problems.map(({ line, message }) => `${line} ${message}`)).toEqual([
    '5 ./folder is a path on this machine, which nodes do not have',
    '5 ./none is a path on this machine, which nodes do not have',
  ]);
  const other = await importFile(join(folder, 'docker-compose.yml'), { name: 'shop', env: { TAG: '2' } });
  expect(other.descriptor['applications']).toMatchObject([
    { application_name: 'shop', microservices: [{ code: 'web:2' }] },
  ]);
});

it('a descriptor that is written elsewhere does not find what lies beside the compose file', async () => {
  await writeFile(join(folder, 'compose.yaml'), 'services: {web: {image: i, volumes: ["./site.conf:/etc/site.conf"]}}');
  await writeFile(join(folder, 'site.conf'), 'listen 80\n');
  await mkdir(join(folder, 'git'));
  const beside = await importFile(folder, { env: {}, out: join(folder, 'shop.yaml') });
  expect(beside.problems).toEqual([]);
  const { problems } = await importFile(folder, { env: {}, out: join(folder, 'git', 'shop.yaml') });
  expect(problems).toMatchObject([
    { code: 'DESCRIPTOR_INVALID', message: expect.stringContaining('no file ./site.conf') },
  ]);
});

it('refuses what the descriptor may not say, with its place', async () => {
  const file = join(folder, 'compose.yaml');
  await writeFile(file, 'services: {web: {image: i, volumes: ["/dev/shm:/shm"]}}');
  const { problems } = await importFile(file, { env: {}, out: 'shop.yaml' });
  expect(problems).toContainEqual(expect.objectContaining({ code: 'DESCRIPTOR_INVALID', file: 'shop.yaml', line: 9 }));
});

it('says where no compose file is, and writes over nothing', async () => {
  await expect(importFile(folder, { env: {} })).rejects.toThrow(`${folder} is no compose file, and none lies in it`);
  const out = join(folder, 'out.yaml');
  await writeNew(out, 'a', 'open');
  await expect(writeNew(out, 'b', 'open')).rejects.toThrow(`${out}: REFUSED the file is there already`);
  await expect(writeNew(join(out, 'x'), 'b', 'open')).rejects.toThrow(
    /FILE_UNWRITABLE the file cannot be written \(ENOTDIR\)/,
  );
  expect(await readFile(out, 'utf8')).toBe('a');
});
