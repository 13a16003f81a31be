import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveTarget } from '../../../../cli/contexts.ts';
import { addContext, contextRows, removeContext, useContext } from '../../../../cli/services/contexts.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-contexts-'));
  await mkdir(join(home, 'clusters', 'here'), { recursive: true });
});
afterEach(() => rm(home, { recursive: true, force: true }));

const api = 'http://10.0.0.5:10100';

describe('contexts', () => {
  it('are the clusters of this machine and those that were added', async () => {
    await writeFile(join(home, 'token'), 'secret\n');
    await addContext(home, 'far', { api, tokenFile: join(home, 'token') }, false);
    expect(await contextRows(home, {})).toEqual([
      { name: 'far', current: false, kind: 'context', api, tokenFile: join(home, 'token') },
      { name: 'here', current: true, kind: 'cluster' },
    ]);
    await useContext(home, 'far');
    expect((await contextRows(home, {})).filter(({ current }) => current).map(({ name }) => name)).toEqual(['far']);
    expect((await contextRows(home, { OAKCTL_CONTEXT: 'here' }))[1]?.current).toBe(true);
    expect(await resolveTarget({}, {}, home)).toMatchObject({ name: 'far', api, token: 'secret' });
  });

  it('that are added twice are refused, unless replaced', async () => {
    await addContext(home, 'far', { api }, false);
    await expect(addContext(home, 'far', { api }, false)).rejects.toThrow('NAME_TAKEN');
    await addContext(home, 'far', { api: 'http://b' }, true);
    expect((await contextRows(home, {}))[0]?.api).toBe('http://b');
    await expect(addContext(home, 'here', { api }, true)).rejects.toThrow('NAME_TAKEN');
  });

  it.each([
    ['../x', { api }, 'NAME_INVALID'],
    ['far', { api: '10.0.0.5' }, 'USAGE'],
    ['far', { api: 'http://' }, 'USAGE'],
    ['far', { api, tokenFile: '/nowhere/token' }, 'NOT_FOUND'],
  ])('%s %j is %s, and nothing is written', async (name, context, code) => {
    await expect(addContext(home, name, context, false)).rejects.toThrow(code);
    expect(await contextRows(home, {})).toHaveLength(1);
  });

  it('that are removed are not current any more', async () => {
    await addContext(home, 'far', { api }, false);
    await useContext(home, 'far');
    await removeContext(home, 'far');
    expect(await contextRows(home, {})).toEqual([{ name: 'here', current: true, kind: 'cluster' }]);
    await expect(removeContext(home, 'far')).rejects.toThrow('NOT_FOUND');
    await expect(removeContext(home, 'here')).rejects.toThrow('REFUSED');
  });

  it('that nobody knows are told with the one that was meant', async () => {
    await expect(useContext(home, 'heer')).rejects.toThrow('did you mean `here`?');
    await expect(useContext(home, 'xyzzy')).rejects.toThrow('known: here');
  });
});
