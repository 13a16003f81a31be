import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adopt } from '../../../cli/services/adopt.ts';
import type { ClusterSnapshot } from '../../../schemas/cluster-snapshot.ts';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ServiceSpec } from '../../../schemas/spec.ts';
import type { OverrideView, ServiceView, SourceView } from '../../../schemas/views.ts';
import { fakeControlPlane, fakeInstance, fakeNode, fakeService } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

const never = new AbortController().signal;
const web = 'shop.default.web.default';
const one = `${web}.instance.0`;
const shop = `# what the shop runs
applications:
  - application_name: shop
    microservices:
      - microservice_name: web   # in front
        code: "nginx:1"
        replicas: 1  # busy on Mondays
        constraints:
          - { type: direct, node: "pi1;pi2" } # where it is warm

      - { microservice_name: db, code: postgres:16 }
`;
const by = { actor: 'bob@phone', since: 1 } as const;
const scale: OverrideView = {
  ...by,
  id: 'a1b2c3d4',
  subject: web,
  kind: 'scale',
  change: '5 instances',
  replicas: 5,
  reason: 'sale\nuntil noon',
};
const stop: OverrideView = { ...by, id: 'b2', subject: web, kind: 'stop', change: 'stopped' };
const move: OverrideView = { ...by, id: 'c3', subject: one, kind: 'move', change: 'on pi2', node: 'pi2' };

let bare: string;
let copy: GitRepo;
/** What the cluster says, and what it was asked. */
let service: ServiceView;
let overrides: readonly OverrideView[];
let said: SourceView;
let asked: string[];
/** What was deployed directly. */
let spec: ServiceSpec;
/** Overrides end by themselves as soon as the cluster has read another document. */
let endsByItself: boolean;

beforeEach(async () => {
  bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  await git(bare, 'init', '--quiet', '--bare');
  copy = await cloneRepository(bare);
  await copy.git('config', 'user.name', 'Ada');
  await copy.git('config', 'user.email', 'ada@example.org');
  await copy.push({ 'shop.yaml': shop });
  const there = { ...fakeInstance(one), node: 'pi2' };
  service = { ...fakeService(web), source: 'main', file: 'shop.yaml', line: 5, instances: [there] };
  overrides = [scale];
  said = { name: 'main', url: bare, branch: 'main', path: '', state: 'synced', services: 0, ignored: 0, problems: [] };
  asked = [];
  endsByItself = true;
});
afterEach(async () => {
  for (const folder of [bare, copy.folder]) await rm(folder, { recursive: true, force: true });
});

function api(): ApiClient {
  const calls: Partial<ApiClient> = {
    status: async () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [said] }),
    service: async (name) => {
      if (name === web || name === 'web') return { ...service, overrides };
      throw new ProblemError(problem('NOT_FOUND', 'no service is called that', { subject: name }));
    },
    services: async () => [{ ...service, overrides }],
    snapshot: async () => ({ world: { desired: { [web]: { spec, slots: [0, 2] } } } }) as unknown as ClusterSnapshot,
    sync: async () => {
      asked.push('sync');
      if (endsByItself) overrides = [];
      return { sources: [said] };
    },
    instances: async ([name = '']) => {
      if ([one, 'web.0'].includes(name)) return service.instances;
      throw new ProblemError(problem('NOT_FOUND', 'no instance is called that', { subject: name }));
    },
    node: async (name) => fakeNode(name, { aliases: ['10.0.0.2'] }),
    overrides: async () => overrides,
    removeOverride: async (id) => {
      asked.push(`end ${id}`);
      overrides = overrides.filter((override) => override.id !== id);
      return { removed: id };
    },
  };
  return calls as ApiClient;
}

const run = (target = web, more: object = {}) =>
  adopt(api(), target, { actor: 'ann@desk', repository: copy.folder, ...more }, never);
const text = (file = 'shop.yaml') => readFile(join(copy.folder, file), 'utf8');
const head = () => copy.git('rev-parse', 'HEAD');
const message = () => copy.git('log', '-1', '--format=%an|%B');
const pushed = async () => (await copy.git('ls-remote', bare, 'refs/heads/main')).split(/\s/)[0];
const refusal = (given: object) => ({ problems: [{ code: 'REFUSED', ...given }] });

describe('adopt', () => {
  it('writes a scale in its line, commits it with who, why and what was, and pushes; twice is once', async () => {
    const done = await run();
    expect(await text()).toBe(shop.replace('replicas: 1', 'replicas: 5'));
    expect(done).toMatchObject({
      answer: { service: web, changed: true, commit: { file: 'shop.yaml', line: 7, changed: true } },
      adopted: [{ id: 'a1b2c3d4' }],
      ending: [],
    });
    expect(await message()).toBe(
      `Ada|Adopt ${web}: replicas: 5 (was 1)\n\n5 instances, by bob@phone: sale until noon\n\nAsked-by: ann@desk`,
    );
    expect(await pushed()).toBe(await head());
    // The cluster ended it when it took the commit: nobody is asked to.
    expect(asked).toEqual(['sync']);

    const before = await head();
    const again = await run();
    expect(again).toEqual({
      answer: { service: web, digest: service.digest, changed: false, instances: [one] },
      adopted: [],
      ending: [],
      renumbered: [],
    });
    expect([await head(), asked]).toEqual([before, ['sync']]);
  });

  it('takes the id of an override, and a reason of its own', async () => {
    await run('a1b2c3d4', { reason: 'it is always full' });
    expect(await message()).toContain('\n\nit is always full\n\n');
    await expect(run('a1b2c3d4')).rejects.toMatchObject({
      problems: [{ code: 'NOT_FOUND', hint: expect.stringContaining('oakctl overrides ls') }],
    });
  });

  it('writes a stop, and says what ends with it', async () => {
    overrides = [scale, stop];
    expect(await run('web')).toMatchObject({ adopted: [stop], ending: [scale] });
    expect(await text()).toBe(shop.replace('replicas: 1', 'replicas: 0'));
  });

  it('ends what the commit did not end, and nothing of other services', async () => {
    await copy.push({ 'shop.yaml': shop.replace('replicas: 1', 'replicas: 0') });
    endsByItself = false;
    const other: OverrideView = { ...stop, id: 'e5', subject: 'other.default.web.default' };
    overrides = [stop, other];
    const calls = { ...api(), service: async () => ({ ...service, overrides: [stop] }) };
    const asker = { actor: 'ann@desk', repository: copy.folder };
    const done = await adopt(calls, web, asker, never);
    expect(done.answer).toMatchObject({ changed: true, commit: { changed: false } });
    expect(asked).toEqual(['sync', 'end b2']);
    expect(overrides).toEqual([other]);
  });

  it('narrows the constraint that names the node of a moved instance', async () => {
    overrides = [move];
    expect(await run('c3')).toMatchObject({ answer: { commit: { line: 9, changed: true } }, adopted: [move] });
    expect(await text()).toBe(shop.replace('"pi1;pi2"', 'pi2'));
    expect(await message()).toContain(`Adopt ${web}: on node pi2\n`);
  });

  it('takes the instance that was moved; of another one there is nothing to adopt', async () => {
    overrides = [scale];
    expect(await run('web.0')).toMatchObject({ answer: { service: web, changed: false }, adopted: [] });
    expect([await text(), asked]).toEqual([shop, []]);
    overrides = [move];
    expect(await run('web.0')).toMatchObject({ answer: { commit: { changed: true } }, adopted: [move] });
    expect(await text()).toBe(shop.replace('"pi1;pi2"', 'pi2'));
  });

  it('says why a move fits nowhere, and changes nothing', async () => {
    await copy.push({ 'shop.yaml': shop.replace('pi1;pi2', 'pi1;pi3') });
    overrides = [move];
    const before = await head();
    await expect(run()).rejects.toMatchObject(
      refusal({ file: 'shop.yaml', line: 5, message: expect.stringContaining('names pi2') }),
    );
    expect([await head(), asked, overrides]).toEqual([before, [], [move]]);
  });
});

describe('adopt is refused', () => {
  it('where a patch and its file say the service together, with the names of both', async () => {
    const patch = (more: string): string =>
      `patch: common/shop.yaml\napplications:\n  - application_name: shop\n    microservices:\n      - { microservice_name: ${more} }\n`;
    const both = (file: string) =>
      refusal({
        file,
        message: expect.stringContaining(`${file} over common/shop.yaml`),
        hint: expect.stringContaining('common/shop.yaml for all'),
      });
    const before = { 'common/shop.yaml': shop, 'shop.yaml': undefined };
    await copy.push({ ...before, 'clusters/edge/front.yaml': patch('web, replicas: 3') });
    service = { ...service, file: 'clusters/edge/front.yaml' };
    await expect(run()).rejects.toMatchObject(both('clusters/edge/front.yaml'));
    // One that is about another service of the file.
    await copy.push({ 'clusters/edge/front.yaml': patch('db, memory: 64') });
    await expect(run()).rejects.toMatchObject(both('clusters/edge/front.yaml'));
    expect(await text('common/shop.yaml')).toBe(shop);
    expect(await copy.git('status', '--porcelain')).toBe('');
    expect(asked).toEqual([]);
  });

  it('without the right to push; the override goes on, and the commit waits for the next attempt', async () => {
    await writeFile(join(bare, 'hooks', 'pre-receive'), '#!/bin/sh\necho the branch is protected >&2\nexit 1\n');
    await chmod(join(bare, 'hooks', 'pre-receive'), 0o755);
    await expect(run()).rejects.toMatchObject(refusal({ hint: expect.stringContaining('you may not push to main') }));
    expect([asked, overrides]).toEqual([[], [scale]]);
    await rm(join(bare, 'hooks', 'pre-receive'));
    expect(await run()).toMatchObject({ answer: { changed: true, commit: { changed: false } }, adopted: [scale] });
    expect(await pushed()).toBe(await head());
    expect(overrides).toEqual([]);
  });

  it('while the cluster does not take the commit; the override goes on', async () => {
    endsByItself = false;
    said = { ...said, state: 'behind' };
    await expect(run()).rejects.toMatchObject(refusal({ message: expect.stringContaining('does not accept commit') }));
    expect(overrides).toEqual([scale]);
  });

  it('for what the user has not committed', async () => {
    await writeFile(join(copy.folder, 'shop.yaml'), `${shop}# mine\n`);
    await expect(run()).rejects.toMatchObject(refusal({ file: 'shop.yaml' }));
    expect(await text()).toBe(`${shop}# mine\n`);
  });

  it.each([
    ['a name that nothing has', 'none', () => ({}), 'NOT_FOUND'],
    ['one of two that end together', 'b2', () => ({}), 'REFUSED'],
  ])('for %s', async (_, target, more, code) => {
    overrides = [scale, stop];
    service = { ...service, ...more() };
    await expect(run(target)).rejects.toMatchObject({ problems: [{ code }] });
    expect([await text(), asked]).toEqual([shop, []]);
  });
});

describe('adopt of what was deployed directly', () => {
  const conflict = {
    code: 'SOURCE_CONFLICT' as const,
    subject: web,
    id: 'f00',
    message: 'main claims it: keep 0, start 1, remove 2',
  };
  const handOver = (file: string) => ({
    problems: [
      {
        code: 'OWNED_DIRECTLY',
        message: expect.stringMatching(new RegExp(`^${file} says it since \\w{7}, .*keep 0, start 1, remove 2$`)),
        hint: expect.stringContaining('oakctl approve f00'),
      },
    ],
  });
  beforeEach(() => {
    const [parsed] = parseDescriptor(shop, 'shop.yaml').services;
    spec = parsed?.spec as ServiceSpec;
    service = { ...service, source: 'direct', digest: spec.digest, holds: [conflict] };
    overrides = [];
  });

  it('sets the number in the file that says it, and names the approval', async () => {
    await expect(run()).rejects.toMatchObject(handOver('shop.yaml'));
    expect(await text()).toBe(shop.replace('replicas: 1', 'replicas: 2'));
    expect(await pushed()).toBe(await head());
    const before = await head();
    await expect(run()).rejects.toMatchObject(handOver('shop.yaml'));
    expect(await head()).toBe(before);
  });

  it('writes a descriptor where none says it, with no instance while it is stopped', async () => {
    await copy.push({ 'shop.yaml': undefined });
    overrides = [stop];
    await expect(run('b2', { reason: 'for good' })).rejects.toMatchObject(handOver('shop-web.yaml'));
    const written = await text('shop-web.yaml');
    expect(parseDescriptor(written, 'shop-web.yaml').services).toMatchObject([{ spec: { ...spec, replicas: 0 } }]);
    expect(written).not.toContain('update:');
    expect(await message()).toBe(`Ada|Adopt ${web}, deployed directly so far\n\nfor good\n\nAsked-by: ann@desk`);
  });

  it('is refused where a text alone cannot say it, or another file has that name', async () => {
    await copy.push({ 'shop.yaml': undefined, 'shop-web.yaml': 'notes: mine\n' });
    const before = await head();
    await expect(run()).rejects.toMatchObject(refusal({ file: 'shop-web.yaml' }));
    await copy.push({ 'shop-web.yaml': undefined });
    spec = { ...spec, run: { ...spec.run, code: '' } };
    await expect(run()).rejects.toMatchObject({
      problems: [{ code: 'OWNED_DIRECTLY', hint: expect.stringContaining('oakctl deploy --commit <file>') }],
    });
    expect(await copy.git('rev-parse', 'HEAD~1')).toBe(before);
    expect(await copy.git('status', '--porcelain')).toBe('');
  });
});
