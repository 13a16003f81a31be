import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitDocuments, syncTo } from '../../../cli/services/commit.ts';
import { sameUrl } from '../../../cli/services/working-copy.ts';
import type { SourceView } from '../../../schemas/views.ts';
import { fakeService } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

const never = new AbortController().signal;
const text = (image: string) => `
applications:
  - application_name: shop
    microservices:
      - { microservice_name: web, code: ${image} }
`;

let bare: string;
let copy: GitRepo;
let elsewhere: string;
beforeEach(async () => {
  bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  await git(bare, 'init', '--quiet', '--bare');
  copy = await cloneRepository(bare);
  await copy.push({ 'README.md': 'first' });
  await copy.git('config', 'user.name', 'Ada');
  await copy.git('config', 'user.email', 'ada@example.org');
  elsewhere = await mkdtemp(join(tmpdir(), 'oakctl-elsewhere-'));
});
afterEach(async () => {
  for (const folder of [bare, copy.folder, elsewhere]) await rm(folder, { recursive: true, force: true });
});

function source(given: Partial<SourceView> = {}): SourceView {
  const base = { name: 'main', url: bare, branch: 'main', path: '', state: 'synced' as const };
  return { ...base, services: 0, ignored: 0, problems: [], ...given };
}

function status(given: Partial<SourceView> = {}) {
  return { cluster: 'edge', sources: [source(given)] };
}

describe('deploy --commit', () => {
  it('commits a file of the working copy in place, with the identity of the user, and pushes it', async () => {
    const file = join(copy.folder, 'shop.yaml');
    await writeFile(file, text('nginx:1'));
    const done = await commitDocuments([{ file, text: text('nginx:1') }], { status: status() }, never);
    expect(done).toMatchObject({ source: 'main', changed: true, files: ['shop.yaml'] });
    expect(done.wanted.map(({ name }) => name)).toEqual(['shop.default.web.default']);
    const remote = await copy.git('ls-remote', bare, 'refs/heads/main');
    expect(remote).toContain(done.commit);
    expect(await copy.git('log', '-1', '--format=%an %s')).toBe('Ada Deploy shop.default.web.default');
  });

  it('puts a file from elsewhere into the folder that the cluster reads', async () => {
    const file = join(elsewhere, 'app.yaml');
    await writeFile(file, text('nginx:1'));
    const options = { repository: copy.folder, status: status({ path: 'edge' }) };
    const done = await commitDocuments([{ file, text: text('nginx:1') }], options, never);
    expect(done.files).toEqual(['edge/app.yaml']);
    // It says the same service: there can be one file of it.
    const fromInput = await commitDocuments([{ file: 'stdin', text: text('nginx:2') }], options, never);
    expect(fromInput.files).toEqual(['edge/app.yaml']);
  });

  it('makes no empty commit, and leaves other changes of the user alone', async () => {
    await copy.push({ 'shop.yaml': text('nginx:1') });
    await writeFile(join(copy.folder, 'notes.txt'), 'mine');
    const head = await copy.git('rev-parse', 'HEAD');
    const file = join(copy.folder, 'shop.yaml');
    const done = await commitDocuments([{ file, text: text('nginx:1') }], { status: status() }, never);
    expect(done).toMatchObject({ changed: false, commit: head });
    expect(await copy.git('status', '--porcelain')).toContain('?? notes.txt');
  });

  it('commits nothing that is invalid', async () => {
    const file = join(copy.folder, 'shop.yaml');
    const broken = text('nginx:1').replace('code', 'coed');
    await writeFile(file, broken);
    const head = await copy.git('rev-parse', 'HEAD');
    await expect(commitDocuments([{ file, text: broken }], { status: status() }, never)).rejects.toThrow('coed');
    expect(await copy.git('rev-parse', 'HEAD')).toBe(head);
  });

  it.each([
    ['in a working copy of something else', async () => source({ url: 'https://example.org/other.git' })],
    ['on another branch', async () => source({ branch: 'production' })],
  ])('is refused %s', async (_, make) => {
    const document = { file: join(copy.folder, 'shop.yaml'), text: text('nginx:1') };
    const options = { repository: copy.folder, status: { cluster: 'edge', sources: [await make()] } };
    await expect(commitDocuments([document], options, never)).rejects.toThrow('REFUSED');
  });

  it('is refused when somebody else has pushed meanwhile', async () => {
    const other = await cloneRepository(bare);
    await other.push({ 'theirs.txt': 'x' });
    await rm(other.folder, { recursive: true, force: true });
    const file = join(copy.folder, 'shop.yaml');
    await writeFile(file, text('nginx:1'));
    const late = commitDocuments([{ file, text: text('nginx:1') }], { status: status() }, never);
    await expect(late).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', hint: expect.stringContaining('pull') }],
    });
  });
});

describe('after the push', () => {
  const name = 'shop.default.web.default';
  const committed = { source: 'main', commit: 'c0ffee', changed: true, files: [], wanted: [{ name, digest: 'local' }] };

  it('the digests are those that the cluster wants: its policy may have changed them', async () => {
    const api = {
      sync: async () => ({ sources: [source({ accepted: 'c0ffee' })] }),
      services: async () => [{ ...fakeService(name), source: 'main', digest: 'theirs' }],
    };
    expect(await syncTo(api, committed, never)).toEqual([{ name, digest: 'theirs' }]);
  });

  it('a source that does not accept the commit is an error, with its problems', async () => {
    const api = { sync: async () => ({ sources: [source({ state: 'invalid' })] }), services: async () => [] };
    await expect(syncTo(api, committed, never)).rejects.toThrow('REFUSED');
  });

  it('a service that belongs to another source is not waited for', async () => {
    const api = {
      sync: async () => ({ sources: [source({ accepted: 'c0ffee' })] }),
      services: async () => [{ ...fakeService(name), source: 'direct' }],
    };
    await expect(syncTo(api, committed, never)).rejects.toThrow('OWNED_DIRECTLY');
  });
});

it.each([
  ['https://user@example.org/fleet.git', 'https://example.org/fleet', true],
  ['git@example.org:ops/fleet.git', 'ssh://git@example.org/ops/fleet', true],
  ['https://example.org/fleet', 'https://example.org/other', false],
])('%s and %s: %s', async (a, b, same) => {
  expect(await sameUrl(a, b)).toBe(same);
});
