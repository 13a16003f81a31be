import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeContexts, endpointOf, type LocalEndpoint, readContexts, resolveTarget } from '../../../cli/contexts.ts';
import { clusterFolder, homeFolder } from '../../../cli/home.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-contexts-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function cluster(name: string, port: number, more: Partial<LocalEndpoint> = {}): Promise<void> {
  const folder = join(home, 'clusters', name);
  await mkdir(folder, { recursive: true });
  const endpoint: LocalEndpoint = { api: `http://127.0.0.1:${port}`, mqtt: '', pid: 1, ...more };
  await writeFile(join(folder, 'endpoints.json'), JSON.stringify(endpoint));
  await writeFile(join(folder, 'api-token'), `token of ${name}\n`);
}

const api = (port: number) => `http://127.0.0.1:${port}`;

describe('the target', () => {
  it('is the only cluster of the machine, with its token', async () => {
    await cluster('one', 10100);
    expect(await resolveTarget({}, {}, home)).toMatchObject({ name: 'one', api: api(10100), token: 'token of one' });
  });

  it('is chosen by flags before environment before the current context', async () => {
    for (const [name, port] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const)
      await cluster(name, port);
    await changeContexts(home, (file) => ({ ...file, current: 'a' }));
    expect((await resolveTarget({}, {}, home)).name).toBe('a');
    expect((await resolveTarget({}, { OAKCTL_CONTEXT: 'b' }, home)).name).toBe('b');
    expect((await resolveTarget({ context: 'c' }, { OAKCTL_CONTEXT: 'b', OAKCTL_API: api(9) }, home)).name).toBe('c');
    expect((await resolveTarget({ api: api(8) }, { OAKCTL_API: api(9) }, home)).api).toBe(api(8));
    expect((await resolveTarget({}, { OAKCTL_API: api(9), OAKCTL_CONTEXT: 'b' }, home)).api).toBe(api(9));
  });

  it('is a row of the contexts file as well as a folder', async () => {
    const file = join(home, 'token');
    await writeFile(file, 'far');
    await changeContexts(home, () => ({ current: 'far', contexts: { far: { api: api(7), tokenFile: file } } }));
    expect(await resolveTarget({}, {}, home)).toEqual({ name: 'far', api: api(7), token: 'far' });
    expect((await readContexts(home)).current).toBe('far');
  });

  it('of a URL takes the token of the cluster that listens there, and no other', async () => {
    await cluster('one', 10100);
    expect(await resolveTarget({ api: '127.0.0.1:10100' }, {}, home)).toMatchObject({ token: 'token of one' });
    expect((await resolveTarget({ api: api(10101) }, {}, home)).token).toBeUndefined();
  });

  it('trusts the root that the cluster wrote, the file of the context, or the file that flags and environment name', async () => {
    const open = { api: 'https://10.0.0.1:1', ca: 'PEM of one' };
    await cluster('one', 1, open);
    const target = await resolveTarget({}, {}, home);
    expect(endpointOf(target)).toEqual({ url: open.api, token: 'token of one', ca: 'PEM of one' });
    expect((await resolveTarget({ api: open.api }, {}, home)).ca).toBe('PEM of one');
    const given = join(home, 'given.pem');
    const own = join(home, 'own.pem');
    await writeFile(given, 'given');
    await writeFile(own, 'own');
    await changeContexts(home, () => ({ contexts: { far: { api: api(7), caFile: own } } }));
    expect((await resolveTarget({ context: 'far' }, {}, home)).ca).toBe('own');
    expect((await resolveTarget({ context: 'far', 'ca-file': given }, {}, home)).ca).toBe('given');
    expect((await resolveTarget({}, { OAKCTL_CA_FILE: given }, home)).ca).toBe('given');
    const missing = resolveTarget({ 'ca-file': join(home, 'none') }, {}, home);
    await expect(missing).rejects.toThrow(/TLS_INVALID.*oakctl ca export/);
  });

  it('may go without TLS only where the cluster or the context says so', async () => {
    await cluster('one', 1, { insecure: true });
    expect(endpointOf(await resolveTarget({}, {}, home)).insecure).toBe(true);
    await changeContexts(home, () => ({
      contexts: { a: { api: api(7), insecure: true }, b: { api: api(8) } },
    }));
    expect(endpointOf(await resolveTarget({ context: 'a' }, {}, home)).insecure).toBe(true);
    expect(endpointOf(await resolveTarget({ context: 'b' }, {}, home))).toEqual({ url: api(8) });
  });

  it('is UNREACHABLE with a hint when none is known, several are, or it is not up', async () => {
    const fails = (flags: object) =>
      resolveTarget(flags, {}, home).catch((error: { problem: object }) => error.problem);
    expect(await fails({})).toMatchObject({ code: 'UNREACHABLE', hint: expect.stringContaining('oakctl up') });
    await mkdir(join(home, 'clusters', 'asleep'), { recursive: true });
    expect(await fails({})).toMatchObject({ message: 'the cluster asleep is not up' });
    await cluster('other', 1);
    expect(await fails({})).toMatchObject({ hint: expect.stringContaining('asleep, other') });
    expect(await fails({ context: 'nobody' })).toMatchObject({ hint: expect.stringContaining('asleep, other') });
  });

  it('with a token file that cannot be read is UNAUTHORIZED', async () => {
    await cluster('one', 10100);
    const wrong = resolveTarget({ 'token-file': join(home, 'nothing') }, {}, home);
    await expect(wrong).rejects.toThrow('UNAUTHORIZED');
  });
});

it('no name leads out of the home', () => {
  for (const name of ['..', '../x', 'a/b', '', '.hidden'])
    expect(() => clusterFolder(home, name)).toThrow('NAME_INVALID');
});

it('the home is OAKCTL_HOME, else a folder of the user', () => {
  expect(homeFolder({ OAKCTL_HOME: '/somewhere' })).toBe('/somewhere');
  expect(homeFolder({})).toMatch(/\.oakctl$/);
});
