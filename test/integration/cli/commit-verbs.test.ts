import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitCordon } from '../../../cli/services/commit-node.ts';
import { commitScale, commitStart, commitStop } from '../../../cli/services/commit-service.ts';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import type { NodeView, OverrideView, ServiceView, SourceView } from '../../../schemas/views.ts';
import { fakeControlPlane, fakeInstance, fakeNode, fakeService } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

const never = new AbortController().signal;
const web = 'shop.default.web.default';
const shop = `# what the shop runs
applications:
  - application_name: shop
    microservices:
      - microservice_name: web   # in front
        code: "nginx:1"
        replicas: 2  # busy on Mondays

      - { microservice_name: db, code: postgres:16 }
`;
const nodesText = `# the hall
- node:
    hostname: pi1
    IP: 10.0.0.1 # by the door
- node: { hostname: pi2, IP: 10.0.0.2, cordon: true }
- custom-orchestrator:
    hostname: other
- node:
    hostname: pi3
    IP: 10.0.0.3
    cordon:
`;

let bare: string;
let copy: GitRepo;
/** What the cluster says, and what it was asked. */
let service: ServiceView;
let nodes: NodeView[];
let overrides: OverrideView[];
let asked: string[];

beforeEach(async () => {
  bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  await git(bare, 'init', '--quiet', '--bare');
  copy = await cloneRepository(bare);
  await copy.push({ 'README.md': 'first' });
  await copy.git('config', 'user.name', 'Ada');
  await copy.git('config', 'user.email', 'ada@example.org');
  service = { ...fakeService(web), source: 'main', file: 'shop.yaml', line: 5, replicas: 2 };
  nodes = [1, 2, 3, 4].map((n) => fakeNode(`pi${n}`, { ip: `10.0.0.${n}` }));
  overrides = [];
  asked = [];
});
afterEach(async () => {
  for (const folder of [bare, copy.folder]) await rm(folder, { recursive: true, force: true });
});

function source(given: Partial<SourceView> = {}): SourceView {
  const base = { name: 'main', url: bare, branch: 'main', path: '', state: 'synced' as const };
  return { ...base, services: 0, ignored: 0, problems: [], ...given };
}

let said: SourceView;
beforeEach(() => {
  said = source();
});

/** A cluster that accepts whatever is pushed. */
function api(): ApiClient {
  const calls: Partial<ApiClient> = {
    status: async () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [said] }),
    service: async () => service,
    services: async () => [service],
    sync: async () => ({ sources: [said] }),
    node: async (name) => nodes.find((node) => node.name === name) as NodeView,
    overrides: async () => overrides,
    removeOverride: async (id) => {
      asked.push(`end ${id}`);
      return { removed: id };
    },
    uncordon: async (node) => {
      asked.push(`uncordon ${node}`);
      return { node, changed: true };
    },
  };
  return calls as ApiClient;
}

const asker = (more: object = {}) => ({ actor: 'ann@desk', repository: copy.folder, ...more });
const scale = (replicas: number, more: object = {}) =>
  commitScale(api(), { service: web, replicas }, asker(more), never);
const cordon = (node: string, is: boolean) => commitCordon(api(), { node, cordon: is }, asker(), never);
const text = (file: string) => readFile(join(copy.folder, file), 'utf8');
const head = () => copy.git('rev-parse', 'HEAD');
const pushed = async () => (await copy.git('ls-remote', bare, 'refs/heads/main')).split(/\s/)[0];
const write = async (file: string, content: string): Promise<void> => {
  await mkdir(dirname(join(copy.folder, file)), { recursive: true });
  await writeFile(join(copy.folder, file), content);
};

describe('scale --commit', () => {
  it('says which instances are replaced where the numbers have gaps', async () => {
    await copy.push({ 'shop.yaml': shop });
    service = { ...service, instances: [0, 2, 3].map((slot) => fakeInstance(`${web}.instance.${slot}`)) };
    expect(await scale(3)).toMatchObject({ renumbered: [`${web}.instance.3`] });
    expect(await scale(3)).toMatchObject({ commit: { changed: false }, renumbered: [] });
    expect(await scale(4)).toMatchObject({ renumbered: [] });
  });

  it('changes one line, commits it with who and why, and pushes; twice is once', async () => {
    await copy.push({ 'shop.yaml': shop });
    await write('notes.txt', 'mine');
    const done = await scale(5, { reason: 'sale\nuntil noon' });
    expect(await text('shop.yaml')).toBe(shop.replace('replicas: 2', 'replicas: 5'));
    expect(done).toMatchObject({
      service: web,
      changed: true,
      commit: { source: 'main', file: 'shop.yaml', line: 7, changed: true, commit: await head() },
    });
    expect(await copy.git('log', '-1', '--format=%an|%B')).toBe(
      `Ada|Scale ${web} to 5\n\nsale until noon\n\nAsked-by: ann@desk`,
    );
    expect(await pushed()).toBe(await head());
    expect(await copy.git('show', '--stat', '--format=', 'HEAD')).toMatch(/shop.yaml \| 2 \+-/);
    expect(await copy.git('status', '--porcelain')).toContain('?? notes.txt');

    const again = await scale(5);
    expect(again).toMatchObject({ changed: false, commit: { changed: false, line: 7, commit: done.commit.commit } });
    expect(asked).toEqual([]);
  });

  it('ends an override of the same kind that the commit did not end, and no other', async () => {
    await copy.push({ 'shop.yaml': shop });
    const override = { subject: web, change: '', actor: 'ann', since: 1 } as const;
    overrides = [
      { ...override, id: 'a', kind: 'scale' },
      { ...override, id: 'b', kind: 'stop' },
      { ...override, id: 'c', kind: 'scale', subject: 'other.default.web.default' },
    ];
    expect(await scale(2)).toMatchObject({ changed: true, commit: { changed: false } });
    expect(asked).toEqual(['end a']);
  });

  it('adds the line where there is none, also beside several documents, and in a file that moved', async () => {
    const other = `---\nkind: something\n---\n${shop.replace('        replicas: 2  # busy on Mondays\n', '')}`;
    await copy.push({ 'apps/front.yaml': other, 'apps/else.yaml': shop.replaceAll('shop', 'blog') });
    const done = await scale(4);
    expect(done.commit).toMatchObject({ file: 'apps/front.yaml', line: 9 });
    expect(await text('apps/front.yaml')).toBe(other.replace('# in front\n', '# in front\n        replicas: 4\n'));
  });

  it('is refused while the file has changes of the user', async () => {
    await copy.push({ 'shop.yaml': shop });
    await write('shop.yaml', `${shop}# mine\n`);
    const before = await head();
    await expect(scale(5)).rejects.toMatchObject({ problems: [{ code: 'REFUSED', file: 'shop.yaml' }] });
    expect(await text('shop.yaml')).toBe(`${shop}# mine\n`);
    expect(await head()).toBe(before);
  });

  it('leaves the file as it was when git does not commit', async () => {
    await copy.push({ 'shop.yaml': shop });
    await write('.git/hooks/pre-commit', '#!/bin/sh\necho no such thing >&2\nexit 1\n');
    await copy.git('config', 'core.hooksPath', join(copy.folder, '.git/hooks'));
    const { chmod } = await import('node:fs/promises');
    await chmod(join(copy.folder, '.git/hooks/pre-commit'), 0o755);
    await expect(scale(5)).rejects.toThrow('no such thing');
    expect(await text('shop.yaml')).toBe(shop);
    expect(await copy.git('status', '--porcelain')).toBe('');
  });

  it('says so when somebody pushed meanwhile; the commit is there for the next attempt', async () => {
    await copy.push({ 'shop.yaml': shop });
    const other = await cloneRepository(bare);
    await other.push({ 'theirs.txt': 'x' });
    await rm(other.folder, { recursive: true, force: true });
    await expect(scale(5)).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', hint: expect.stringContaining('pull') }],
    });
    await copy.git('pull', '--quiet', '--rebase', 'origin', 'main');
    expect(await scale(5)).toMatchObject({ commit: { changed: false, commit: await pushed() } });
  });

  it('works in the very repository that the cluster reads, without a remote', async () => {
    await copy.push({ 'shop.yaml': shop });
    await copy.git('remote', 'remove', 'origin');
    said = source({ url: copy.folder });
    expect(await scale(3)).toMatchObject({ commit: { changed: true, commit: await head() } });
  });

  it.each([
    ['what was deployed directly', () => ({ source: 'direct' }), 'OWNED_DIRECTLY'],
    ['what has one instance on every node', () => ({ replicas: 'every' as const }), 'REFUSED'],
    ['a service that the working copy does not have', () => ({ name: 'shop.default.gone.default' }), 'NOT_FOUND'],
  ])('is refused for %s', async (_, change, code) => {
    await copy.push({ 'shop.yaml': shop });
    service = { ...service, ...change() };
    await expect(scale(5)).rejects.toMatchObject({ problems: [{ code }] });
    expect(await text('shop.yaml')).toBe(shop);
  });

  it('is refused for what all clusters of a repository share, with file and line', async () => {
    await copy.push({
      'common/shop.yaml': shop,
      'clusters/edge/nodes.yaml': nodesText,
      'clusters/far/shop.yaml': shop,
    });
    service = { ...service, file: 'common/shop.yaml' };
    await expect(scale(5)).rejects.toMatchObject({
      problems: [
        { code: 'REFUSED', file: 'common/shop.yaml', line: 5, hint: expect.stringContaining('clusters/edge/') },
      ],
    });
    await copy.git('mv', 'common/shop.yaml', 'clusters/edge/shop.yaml');
    await copy.git('commit', '--quiet', '-m', 'move');
    expect(await scale(5)).toMatchObject({ commit: { file: 'clusters/edge/shop.yaml' } });
    expect(await text('clusters/far/shop.yaml')).toBe(shop);
  });

  it('goes to the patch that says the service, also if the cluster knew it in another file', async () => {
    const patch = `patch: common/shop.yaml
applications:
  - application_name: shop
    microservices:
      - { microservice_name: web, replicas: 3 }
`;
    await copy.push({ 'common/shop.yaml': shop, 'clusters/edge/front.yaml': patch });
    service = { ...service, file: 'clusters/edge/shop.yaml' };
    expect(await scale(5)).toMatchObject({ commit: { file: 'clusters/edge/front.yaml', line: 5, changed: true } });
    expect(await text('clusters/edge/front.yaml')).toBe(patch.replace('replicas: 3', 'replicas: 5'));
  });

  it('is refused for a file that cannot be read, with file and line', async () => {
    await copy.push({ 'shop.yaml': shop.replace('"nginx:1"', '&image "nginx:1"') });
    await expect(scale(5)).rejects.toMatchObject({ problems: [{ code: 'YAML_INVALID', file: 'shop.yaml', line: 6 }] });
  });

  it('is refused outside a working copy, as deploy is', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'oakctl-elsewhere-'));
    await expect(scale(5, { repository: elsewhere })).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', hint: expect.stringContaining('--repo') }],
    });
    await rm(elsewhere, { recursive: true });
  });
});

describe('stop and start --commit', () => {
  it('write no instance, and as many as there were', async () => {
    await copy.push({ 'shop.yaml': shop });
    const stopped = await commitStop(api(), web, asker(), never);
    expect(stopped).toMatchObject({ changed: true, commit: { changed: true } });
    expect(await text('shop.yaml')).toBe(shop.replace('replicas: 2', 'replicas: 0'));
    expect(await copy.git('log', '-1', '--format=%s')).toBe(`Stop ${web} (replicas: 2)`);
    expect(await commitStop(api(), web, asker(), never)).toMatchObject({ changed: false });

    await copy.push({ 'other.txt': 'x' });
    expect(await commitStart(api(), web, asker(), never)).toMatchObject({ changed: true });
    expect(await text('shop.yaml')).toBe(shop);
    expect(await copy.git('log', '-1', '--format=%s')).toBe(`Start ${web} (replicas: 2)`);
    expect(await commitStart(api(), web, asker(), never)).toMatchObject({ changed: false });
  });

  it('bring back one on every node', async () => {
    await copy.push({ 'shop.yaml': shop.replace('replicas: 2', 'replicas: every') });
    await commitStop(api(), web, asker(), never);
    await commitStart(api(), web, asker(), never);
    expect(await text('shop.yaml')).toContain('replicas: every  # busy');
  });

  it('start is refused where the history knows no number', async () => {
    await copy.push({ 'shop.yaml': shop.replace('replicas: 2', 'replicas: 0') });
    await expect(commitStart(api(), web, asker(), never)).rejects.toMatchObject({
      problems: [{ code: 'NOT_FOUND', hint: expect.stringContaining('scale') }],
    });
  });
});

describe('nodes cordon and uncordon --commit', () => {
  it('change one line of nodes.yaml, however the entry is written; twice is once', async () => {
    await copy.push({ 'nodes.yaml': nodesText });
    expect(await cordon('pi1', true)).toMatchObject({
      node: 'pi1',
      changed: true,
      commit: { file: 'nodes.yaml', line: 4 },
    });
    let now = nodesText.replace('hostname: pi1\n', 'hostname: pi1\n    cordon: true\n');
    expect(await text('nodes.yaml')).toBe(now);
    expect(await cordon('pi1', true)).toMatchObject({ changed: false });
    await cordon('pi2', false);
    now = now.replace('cordon: true }', 'cordon: false }');
    expect(await text('nodes.yaml')).toBe(now);
    await cordon('pi3', true);
    expect(await text('nodes.yaml')).toBe(now.replace('    cordon:\n', '    cordon: true\n'));
    expect(await copy.git('log', '-1', '--format=%s')).toBe('Cordon pi3');
    expect(await pushed()).toBe(await head());
    expect(asked).toEqual([]);
  });

  it('go to the source that is named, where there are several', async () => {
    await copy.push({ 'nodes.yaml': nodesText });
    const other = source({ name: 'other' });
    const several = {
      ...api(),
      status: async () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [other, said] }),
    };
    const to = (name: string | undefined) =>
      commitCordon(several, { node: 'pi1', cordon: true }, { ...asker(), source: name }, never);
    await expect(to('none')).rejects.toMatchObject({ problems: [{ code: 'REFUSED' }] });
    expect(await to('main')).toMatchObject({ changed: true, commit: { source: 'main', file: 'nodes.yaml' } });
  });

  it('find an entry by its address, and end a cordon by hand', async () => {
    await copy.push({ 'nodes.yaml': nodesText });
    const byHand = { cause: 'by ann', actor: 'ann' };
    nodes = [fakeNode('door', { ip: '10.0.0.1', cordoned: byHand })];
    expect(await cordon('door', true)).toMatchObject({ commit: { line: 4 } });
    expect(asked).toEqual(['uncordon door']);
    nodes = [fakeNode('door', { ip: '10.0.0.1', cordoned: byHand, drain: { left: [], apart: [] } })];
    await cordon('door', true);
    expect(asked).toEqual(['uncordon door']);
    await cordon('door', false);
    expect(asked).toEqual(['uncordon door', 'uncordon door']);
    expect(await text('nodes.yaml')).toContain('cordon: false\n');
  });

  it('are refused where no entry is about the node, or the file is broken or shared', async () => {
    await copy.push({ 'nodes.yaml': nodesText, 'below/nodes.yaml': '- node: { hostname: pi4 }\n' });
    await expect(cordon('pi4', true)).rejects.toMatchObject({ problems: [{ code: 'NOT_FOUND', subject: 'node/pi4' }] });
    await copy.push({ 'nodes.yaml': nodesText.replace('cordon: true', 'cordon: perhaps') });
    await expect(cordon('pi1', true)).rejects.toMatchObject({ problems: [{ file: 'nodes.yaml', line: 5 }] });
    await copy.push({ 'common/nodes.yaml': nodesText, 'clusters/edge/README.md': 'x' });
    await expect(cordon('pi1', true)).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', file: 'common/nodes.yaml', line: expect.any(Number) }],
    });
  });
});
