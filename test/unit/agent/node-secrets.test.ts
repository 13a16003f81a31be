import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNodeSecrets } from '../../../agent/node-secrets.ts';
import { createSecrets } from '../../../agent/runtimes/secrets.ts';
import type { RunSecret } from '../../../schemas/spec.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp('/dev/shm/oakctl-own-');
  folder = join(root, 'secrets');
  await mkdir(folder, { mode: 0o700 });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const put = async (name: string, value: string | Buffer = 'hunter2', mode = 0o600): Promise<void> => {
  await writeFile(join(folder, name), value);
  await chmod(join(folder, name), mode);
};

describe('secrets of a node', () => {
  it('are the plain files of its folder, by name, and are read as they are at the moment', async () => {
    await put('modem', Buffer.from([0, 255, 10]));
    await put('Not-a-name');
    await put('.hidden');
    await mkdir(join(folder, 'sub'));
    await symlink('/etc/hostname', join(folder, 'away'));
    const { secrets, problem } = await openNodeSecrets(folder);
    expect(problem).toBeUndefined();
    expect(secrets.names()).toEqual(['modem']);
    expect(await secrets.read('modem')).toEqual({ bytes: Buffer.from([0, 255, 10]) });
    await put('modem', 'next');
    expect(await secrets.read('modem')).toEqual({ bytes: Buffer.from('next') });
    await put('later');
    await expect.poll(() => secrets.names()).toEqual(['later', 'modem']);
    await rm(join(folder, 'modem'));
    await expect.poll(() => secrets.names()).toEqual(['later']);
  });

  it.each(['../secrets/modem', '/etc/hostname', 'sub/x', '..', '.', ''])('are no paths: %j', async (name) => {
    await put('modem');
    await mkdir(join(folder, 'sub'));
    await put('sub/x');
    const { secrets } = await openNodeSecrets(folder);
    expect(await secrets.read(name)).toEqual({ why: 'it has no name that a secret can have' });
  });

  it('are not read through links, when others can read them, when they are too long, or not there', async () => {
    await writeFile(join(root, 'elsewhere'), 'hunter2', { mode: 0o600 });
    await symlink(join(root, 'elsewhere'), join(folder, 'link'));
    await put('open', 'hunter2', 0o644);
    await put('group', 'hunter2', 0o640);
    await put('long', 'x'.repeat(1024 * 1024 + 1));
    await mkdir(join(folder, 'sub'));
    const { secrets } = await openNodeSecrets(folder);
    const why = async (name: string) => JSON.stringify(await secrets.read(name));
    expect(await why('link')).toContain('links are not followed');
    expect(await why('open')).toMatch(/mode 0644.*chmod 600/);
    expect(await secrets.read('group')).toHaveProperty('bytes');
    expect(await why('long')).toContain('1048577 bytes long, at most 1048576');
    expect(await why('sub')).toContain('it is no file');
    expect(await why('none')).toContain(`there is no ${join(folder, 'none')}`);
  });

  it('are none where others may write the folder, or none is', async () => {
    await put('modem');
    await chmod(folder, 0o777);
    const open = await openNodeSecrets(folder);
    expect(open.problem).toMatchObject({ code: 'SECRET_UNREADABLE', message: expect.stringContaining('0777') });
    expect(open.secrets.names()).toEqual([]);
    expect(await open.secrets.read('modem')).toMatchObject({ why: expect.stringContaining('0777') });
    expect((await openNodeSecrets(join(root, 'none'))).problem?.message).toContain('ENOENT');
    expect((await openNodeSecrets(join(folder, 'modem'))).problem?.message).toContain('is no folder');
    await chmod(folder, 0o700);
    open.secrets.names();
    await expect.poll(() => open.secrets.names()).toEqual(['modem']);
  });

  it('become files in memory of a copy, and never in place of one of the repository', async () => {
    await put('modem');
    const memory = join(root, 'memory');
    const { secrets: own } = await openNodeSecrets(folder);
    const modem: RunSecret = { name: 'modem', source: 'node', path: '/run/secrets/modem', mode: 0o400 };
    const plan = (secrets: readonly RunSecret[]) => ({
      ...{ instance: 'a.b.c.d.instance.0', copy: '1.1', digest: `1:${'0'.repeat(64)}` },
      run: { virtualization: 'container' as const, code: 'x', secrets },
    });
    const secrets = createSecrets({ node: 'a1', own, folders: [memory] });
    const [bind] = await secrets.put(plan([modem]));
    expect(bind).toMatchObject({ target: '/run/secrets/modem', readOnly: true });
    expect(bind?.source.startsWith(memory)).toBe(true);
    const refused = async (all: ReturnType<typeof createSecrets>, one: RunSecret) =>
      all.put(plan([one])).then(
        () => undefined,
        (error: { problem: object }) => error.problem,
      );
    expect(await refused(secrets, { ...modem, name: 'other' })).toMatchObject({
      ...{ code: 'SECRET_UNREADABLE', disposition: 'retry' },
      message: expect.stringContaining(`there is no ${join(folder, 'other')}`),
    });
    const { source: _, ...sealed } = modem;
    expect(await refused(secrets, { ...sealed, version: '1' })).toMatchObject({
      message: expect.stringContaining('nothing of it came with the assignment'),
    });
    expect(await refused(createSecrets({ node: 'a1', folders: [memory] }), modem)).toMatchObject({
      message: expect.stringContaining('names no folder'),
    });
  });
});
