import { chmod, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CommitOptions, type Committed, commitDocuments } from '../../../cli/services/commit.ts';
import { commitScale, commitStart } from '../../../cli/services/commit-service.ts';
import { inTemporaryClone } from '../../../cli/services/temporary-clone.ts';
import { commitFiles, pushHead, type WorkingCopy } from '../../../cli/services/working-copy.ts';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import type { SourceView } from '../../../schemas/views.ts';
import { fakeControlPlane, fakeService } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

const never = new AbortController().signal;
const author = 'Ada Lovelace <ada@example.org>';
const web = 'shop.default.web.default';
const shop = (image: string, more = '') => `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: ${image}
        replicas: 3
${more}`;
const alsoDb = '      - { microservice_name: db, code: postgres:16 }\n';

let bare: string;
/** Somebody else's. */
let other: GitRepo;
/** Where temporary folders go, and nothing may be left. */
let scratch: string;
beforeEach(async () => {
  bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  await git(bare, 'init', '--quiet', '--bare');
  other = await cloneRepository(bare);
  await other.push({ 'README.md': 'first' });
  scratch = await mkdtemp(join(tmpdir(), 'oakctl-scratch-'));
  vi.stubEnv('TMPDIR', scratch);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  expect(await readdir(scratch)).toEqual([]);
  for (const folder of [bare, other.folder, scratch]) await rm(folder, { recursive: true, force: true });
});

function source(given: Partial<SourceView> = {}): SourceView {
  const base = { name: 'main', url: bare, branch: 'main', path: '', state: 'synced' as const };
  return { ...base, services: 0, ignored: 0, problems: [], ...given };
}

const deploy = (text: string, options: Partial<CommitOptions> = {}, file = 'stdin'): Promise<Committed> =>
  commitDocuments([{ file, text }], { status: { cluster: 'edge', sources: [source()] }, author, ...options }, never);
const atRemote = async (file: string): Promise<string> => {
  await other.git('fetch', '--quiet');
  return other.git('show', `origin/main:${file}`);
};
const refusal = (said: object) => ({ problems: [{ code: 'REFUSED', ...said }] });
const hook = async (name: string, text: string): Promise<void> => {
  await writeFile(join(bare, 'hooks', name), `#!/bin/sh\n${text}\n`);
  await chmod(join(bare, 'hooks', name), 0o755);
};

describe('deploy --commit without a working copy', () => {
  it('commits as the author to a clone, pushes it, and leaves nothing behind; twice is once', async () => {
    const done = await deploy(shop('nginx:1'));
    expect(done).toMatchObject({ source: 'main', changed: true, files: ['shop.yaml'], isCloned: true });
    expect(await atRemote('shop.yaml')).toBe(shop('nginx:1').trim());
    expect(await other.git('log', '-1', '--format=%H %an %ae %cn', 'origin/main')).toBe(
      `${done.commit} Ada Lovelace ada@example.org Ada Lovelace`,
    );
    expect(await deploy(shop('nginx:1'))).toMatchObject({ changed: false, commit: done.commit });
    expect(await deploy(shop('nginx:2'), {}, join(bare, 'renamed.yaml'))).toMatchObject({ files: ['shop.yaml'] });
  });

  it('goes to the folder of the cluster where several share the repository, and leaves alone what all read', async () => {
    await other.push({ 'clusters/edge/nodes.yaml': '[]\n', 'common/all.yaml': shop('nginx:1') });
    const text = shop('nginx:2').replace('name: shop', 'name: mine');
    expect(await deploy(text)).toMatchObject({ files: ['clusters/edge/mine.yaml'] });
    await expect(deploy(shop('nginx:2'))).rejects.toMatchObject(refusal({ file: 'common/all.yaml' }));
  });

  it('replaces a file that says no more than it, and no other one', async () => {
    await other.push({ 'apps/all.yaml': shop('nginx:1', alsoDb) });
    await expect(deploy(shop('nginx:2'))).rejects.toMatchObject(
      refusal({ file: 'apps/all.yaml', line: 7, message: expect.stringContaining('shop.default.db.default') }),
    );
    expect(await deploy(shop('nginx:2', alsoDb))).toMatchObject({ files: ['apps/all.yaml'] });
    await expect(deploy(shop('nginx:1').replace('name: shop', 'name: README.md'))).rejects.toThrow();
    await other.git('pull', '--quiet');
    await other.push({ 'mine.yaml': 'settings: of something else\n' });
    await expect(deploy(shop('nginx:1').replace('name: shop', 'name: mine'))).rejects.toMatchObject(
      refusal({ file: 'mine.yaml' }),
    );
  });

  it('brings along what it takes in, over no file that others may take in', async () => {
    const text = `${shop('nginx:1')}        files: [{ path: /etc/site.conf, from: web/site.conf }]\n`;
    const document = { file: 'stdin', text, files: { 'web/site.conf': 'ours' } };
    const options = { status: { cluster: 'edge', sources: [source()] }, author };
    await other.push({ 'web/site.conf': 'theirs' });
    await expect(commitDocuments([document], options, never)).rejects.toMatchObject(refusal({ file: 'web/site.conf' }));
    await other.push({ 'web/site.conf': undefined });
    expect(await commitDocuments([document], options, never)).toMatchObject({ files: ['shop.yaml', 'web/site.conf'] });
    const again = { ...document, files: { 'web/site.conf': 'ours, and newer' } };
    expect(await commitDocuments([again], options, never)).toMatchObject({ changed: true });
    expect(await atRemote('web/site.conf')).toBe('ours, and newer');
  });

  it('writes through no link of the repository', async () => {
    const outside = await mkdtemp('/tmp/oakctl-outside-');
    await mkdir(join(other.folder, 'clusters/edge'), { recursive: true });
    await symlink(outside, join(other.folder, 'clusters/edge/apps'));
    await other.push({ 'clusters/edge/nodes.yaml': '[]\n' });
    const options = { status: { cluster: 'edge/apps', sources: [source()] } };
    await expect(deploy(shop('nginx:1'), options)).rejects.toMatchObject(refusal({}));
    expect(await readdir(outside)).toEqual([]);
    await rm(outside, { recursive: true });
  });

  it.each([
    ['of several sources', () => [source(), source({ name: 'more' })], /main, more/],
    ['without a source', () => [], /no git source/],
    ['of a folder that is not there', () => [source({ url: '/nowhere/fleet.git' })], /git clone of .*nowhere/],
    ['of a branch that is not there', () => [source({ branch: 'live' })], /live/],
    ['of a tag', () => [source({ branch: 'v1' })], /no branch/],
    ['of a URL that would run something', () => [source({ url: 'ext::sh -c "touch /tmp/x"' })], /none that is cloned/],
    ['of a URL that is an option', () => [source({ url: '--upload-pack=touch' })], /none that is cloned/],
  ])('is refused %s', async (_, sources: () => SourceView[], message) => {
    await git(bare, 'tag', 'v1', 'main');
    const late = deploy(shop('nginx:1'), { status: { cluster: 'edge', sources: sources() } });
    await expect(late).rejects.toThrow(message);
  });

  it('goes to the source that is named, or that has the service already', async () => {
    const status = { cluster: 'edge', sources: [source(), source({ name: 'more' })] };
    expect(await deploy(shop('nginx:1'), { status, source: 'more' })).toMatchObject({ source: 'more' });
    const services = [{ name: web, source: 'main' }];
    expect(await deploy(shop('nginx:2'), { status, services })).toMatchObject({ source: 'main' });
  });

  it('says what to do about a branch that is protected, and about nobody who commits', async () => {
    await hook('pre-receive', 'echo the branch is protected >&2; exit 1');
    const hint = expect.stringContaining('may not push');
    await expect(deploy(shop('nginx:1'))).rejects.toMatchObject(
      refusal({ hint, message: expect.stringContaining('protected') }),
    );
    const home = await mkdtemp('/tmp/oakctl-nobody-');
    await writeFile(join(home, '.gitconfig'), '[user]\n\tuseConfigOnly = true\n');
    vi.stubEnv('HOME', home);
    const unknown = deploy(shop('nginx:1'), { author: undefined });
    await expect(unknown).rejects.toMatchObject(refusal({ hint: expect.stringContaining('--author') }));
    await rm(home, { recursive: true });
    await expect(deploy(shop('nginx:1'), { author: 'Ada' })).rejects.toThrow('USAGE');
  });
});

describe('a temporary clone', () => {
  const write = async (copy: WorkingCopy): Promise<string> => {
    await writeFile(join(copy.root, 'ours.txt'), 'ours');
    await commitFiles(copy, ['ours.txt'], 'Ours');
    return pushHead(copy);
  };

  it('is brought up to date once when somebody else pushes meanwhile', async () => {
    let times = 0;
    const commit = await inTemporaryClone(source(), author, never, async (copy) => {
      times += 1;
      if (times === 1) await other.push({ 'theirs.txt': 'theirs' });
      return write(copy);
    });
    expect(times).toBe(2);
    expect(await other.git('ls-remote', bare, 'refs/heads/main')).toContain(commit);
    expect(await atRemote('theirs.txt')).toBe('theirs');
    expect(await atRemote('ours.txt')).toBe('ours');
  });

  it('gives up when that happens again, and forces nothing', async () => {
    const late = inTemporaryClone(source(), author, never, async (copy) => {
      await other.push({ [`${Math.random()}`]: 'theirs' });
      return write(copy);
    });
    await expect(late).rejects.toMatchObject(refusal({ hint: expect.stringContaining('again') }));
    await expect(atRemote('ours.txt')).rejects.toThrow();
  });

  it('is removed by the next one when it was killed, and by nobody while it may be in use', async () => {
    const [killed, used] = ['oakctl-commit-killed', 'oakctl-commit-used'].map((name) => join(scratch, name));
    for (const folder of [killed, used]) await mkdir(join(folder ?? '', 'deep'), { recursive: true });
    await symlink(other.folder, join(scratch, 'oakctl-commit-link'));
    const before = new Date(Date.now() - 2 * 86_400_000);
    await utimes(killed ?? '', before, before);
    await deploy(shop('nginx:1'));
    expect((await readdir(scratch)).sort()).toEqual(['oakctl-commit-link', 'oakctl-commit-used']);
    for (const name of await readdir(scratch)) await rm(join(scratch, name), { recursive: true });
  });

  it('is removed when it is interrupted', async () => {
    const abort = new AbortController();
    const interrupted = inTemporaryClone(source(), author, abort.signal, async (copy) => {
      abort.abort(new Error('Ctrl-C'));
      return write(copy);
    });
    await expect(interrupted).rejects.toThrow();
    await expect(inTemporaryClone(source(), author, AbortSignal.abort(new Error('before')), write)).rejects.toThrow();
  });
});

it('scale and start --commit find their file, and its history, in a temporary clone', async () => {
  await other.push({ 'shop.yaml': shop('nginx:1') });
  const service = { ...fakeService(web), source: 'main', file: 'shop.yaml', line: 4, replicas: 3 };
  const api = {
    status: async () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [source()] }),
    service: async () => service,
    services: async () => [service],
    sync: async () => ({ sources: [source()] }),
    overrides: async () => [],
  } as Partial<ApiClient> as ApiClient;
  const asker = { actor: 'ann@desk', author };
  await commitScale(api, { service: web, replicas: 0 }, asker, never);
  expect(await atRemote('shop.yaml')).toContain('replicas: 0');
  const started = await commitStart(api, web, asker, never);
  expect(started).toMatchObject({ commit: { file: 'shop.yaml', changed: true } });
  expect(await atRemote('shop.yaml')).toContain('replicas: 3');
});
