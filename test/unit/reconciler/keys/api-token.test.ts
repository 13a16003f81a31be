import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openApiToken } from '../../../../reconciler/keys/api-token.ts';
import { createSystemRandom } from '../../../../schemas/io/clock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-token-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () => openApiToken(join(folder, 'api-token'), createSystemRandom());

it('stays, until its owner removes it: then the old one is dead, whatever lies beside it', async () => {
  const first = await open();
  expect(await open()).toBe(first);
  await rm(join(folder, 'api-token'));
  const second = await open();
  expect(second).not.toBe(first);
  expect(await open()).toBe(second);
  await writeFile(join(folder, 'api-token'), '');
  expect(await open()).toBe(second);
  expect((await readFile(join(folder, 'api-token'), 'utf8')).trim()).toBe(second);
});

it('may be written by its owner', async () => {
  const first = await open();
  const own = 'my own token, which'.replaceAll(' ', '-').padEnd(40, 'x');
  await writeFile(join(folder, 'api-token'), `${own}\n`);
  expect(await open()).toBe(own);
  await writeFile(join(folder, 'api-token'), '');
  expect(await open()).toBe(own);
  expect(own).not.toBe(first);
});
