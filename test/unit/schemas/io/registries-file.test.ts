import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { changeLogin, readRegistries } from '../../../../schemas/io/registries-file.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-registries-'));
  file = join(folder, 'registries.yaml');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const login = { username: 'fleet', password: 'a: "b" # c' };

it('keeps a login for its owner only, beside what is there, and forgets it', async () => {
  expect((await readRegistries(file)).problems).toEqual([]);
  expect(await changeLogin(file, 'Registry.example.org', login)).toBe(true);
  expect(await changeLogin(file, 'registry.example.org', login)).toBe(false);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { registries, problems } = await readRegistries(file);
  expect(problems).toEqual([]);
  expect(registries.entries.get('registry.example.org')?.login).toEqual(login);
  const text = `# by hand\n${await readFile(file, 'utf8')}  other.org:\n    mirrors: [ m.org ] # near\n`;
  await writeFile(file, text);
  expect(await changeLogin(file, 'other.org', { ...login, username: 'x' })).toBe(true);
  expect(await changeLogin(file, 'registry.example.org', undefined)).toBe(true);
  expect(await changeLogin(file, 'registry.example.org', undefined)).toBe(false);
  const after = await readFile(file, 'utf8');
  expect(after).toContain('# by hand');
  expect(after).toContain('# near');
  expect([...(await readRegistries(file)).registries.entries.keys()]).toEqual(['other.org']);
});

it.each([
  ['that others may read', async () => chmod(file, 0o640), /mode 0640/],
  [
    'behind a link',
    async () => {
      await writeFile(join(folder, 'real'), '', { mode: 0o600 });
      await rm(file);
      await symlink(join(folder, 'real'), file);
    },
    /a link/,
  ],
  ['that is faulty', async () => writeFile(file, 'registries: 3'), /registries/],
])('a file %s says nothing, and is not written', async (_what, make, why) => {
  await writeFile(file, 'registries:\n  a.b: { username: u, password: p }\n', { mode: 0o600 });
  await make();
  const { registries, problems } = await readRegistries(file);
  expect(registries.entries.size).toBe(0);
  expect(problems[0]?.message).toMatch(why);
  await expect(changeLogin(file, 'c.d', login)).rejects.toMatchObject({ problem: { file } });
});

it('a registry is a host, without scheme or path', async () => {
  for (const host of ['https://a.b', 'a.b/c', ''])
    await expect(changeLogin(file, host, login)).rejects.toMatchObject({ problem: { code: 'BAD_REQUEST' } });
});
