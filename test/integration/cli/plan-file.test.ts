import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withSource } from '../../../cli/services/plan.ts';
import { pushPlanned, readPlan, requireSame, writePlan } from '../../../cli/services/plan-file.ts';
import type { PlanRequest } from '../../../schemas/api.ts';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import type { PlanView, SourceView } from '../../../schemas/views.ts';
import { fakeControlPlane, fakeService } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

const never = new AbortController().signal;
const web = 'shop.default.web.default';
const of = { cluster: 'test', fingerprint: 'ab'.repeat(32) };
const token = `${'a'.repeat(16)}.${'b'.repeat(16)}`;
const plan: PlanView = {
  changes: [{ action: 'start', subject: `${web}.instance.0`, node: 'pi1', detail: 'd' }],
  holds: [],
  settled: 0,
  problems: [],
  token,
};
const request: PlanRequest = { documents: [{ file: 'app.yaml', text: 'applications: []' }] };

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-plan-'));
  file = join(folder, 'plan.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A cluster whose plan is this one by now. */
function api(now: PlanView = plan, source?: SourceView): ApiClient {
  const calls: Partial<ApiClient> = {
    status: async () => ({ ...fakeControlPlane().status(), ...of, sources: source ? [source] : [] }),
    plan: async () => now,
    sync: async () => ({ sources: source ? [source] : [] }),
    services: async () => [fakeService(web), fakeService('shop.default.db.default')],
  };
  return calls as ApiClient;
}

describe('a plan file', () => {
  it('is read as it was written, for its owner only, and is carried out while nothing has moved', async () => {
    await writePlan(file, { ...of, request, plan });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const read = await readPlan(file);
    expect(read).toMatchObject({ ...of, request, plan });
    await requireSame(api(), read, never);
  });

  it.each([
    [
      'state',
      `${'a'.repeat(16)}.${'c'.repeat(16)}`,
      /the state is another than when.*no more: start .* on pi1; now: start .* on pi2/,
    ],
    ['commit', `${'c'.repeat(16)}.${'b'.repeat(16)}`, /the sources have other commits than when/],
  ])('is refused once the %s has moved on, with what is different', async (_, moved, message) => {
    await writePlan(file, { ...of, request, plan });
    const changes = plan.changes.map((change) => ({ ...change, node: 'pi2' }));
    const same = requireSame(api({ ...plan, changes, token: moved }), await readPlan(file), never);
    await expect(same).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', message: expect.stringMatching(message) }],
    });
  });

  it('is refused for another cluster', async () => {
    await writePlan(file, { ...of, fingerprint: 'cd'.repeat(32), request, plan });
    await expect(requireSame(api(), await readPlan(file), never)).rejects.toThrow(
      /is of the cluster test, and this is/,
    );
  });

  it.each([
    ['that is not there', undefined, 'NOT_FOUND'],
    ['that is cut off', (text: string) => text.slice(0, 200), 'PLAN_INVALID'],
    ['of another version', (text: string) => text.replace('"version": 1', '"version": 2'), 'PLAN_INVALID'],
    ['without a token', (text: string) => text.replace('"token"', '"other"'), 'PLAN_INVALID'],
    [
      'that deploys nothing',
      (text: string) => text.replace(/"documents": \[[^\]]*\]\s*"?\s*\}\s*\]/, '"documents": []'),
      'REFUSED',
    ],
  ])('%s is refused', async (what, change, code) => {
    await writePlan(file, { ...of, request: what === 'that deploys nothing' ? {} : request, plan });
    const text = await readFile(file, 'utf8');
    await rm(file);
    if (change) await writeFile(file, what === 'that deploys nothing' ? text : change(text));
    await expect(readPlan(file)).rejects.toMatchObject({ problems: [{ code }] });
  });

  it('with errors is refused with them', async () => {
    const wrong = { code: 'YAML_INVALID', message: 'm', disposition: 'stall' } as const;
    await writePlan(file, { ...of, request, plan: { ...plan, problems: [wrong] } });
    await expect(readPlan(file)).rejects.toMatchObject({ problems: [{ code: 'REFUSED' }, wrong] });
  });
});

describe('a plan of a working copy', () => {
  let bare: string;
  let copy: GitRepo;
  const asSource: PlanRequest = { ...request, asSource: true };
  const source = (): SourceView => {
    return {
      name: 'main',
      url: bare,
      branch: 'main',
      path: '',
      state: 'synced',
      services: 1,
      ignored: 0,
      problems: [],
    };
  };
  beforeEach(async () => {
    bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
    await git(bare, 'init', '--quiet', '--bare');
    copy = await cloneRepository(bare);
    await copy.push({ 'app.yaml': 'first' });
    await writeFile(join(copy.folder, 'app.yaml'), 'second');
  });
  afterEach(async () => {
    for (const one of [bare, copy.folder]) await rm(one, { recursive: true, force: true });
  });
  const write = () => writePlan(file, { ...of, request: asSource, plan, folder: copy.folder });
  const commit = () => copy.git('commit', '--quiet', '--all', '-m', 'second');
  const push = async () => pushPlanned(api(plan, source()), await readPlan(file), copy.folder, never);

  it('is its commit: that is pushed, and its services are waited for', async () => {
    await expect(write()).rejects.toThrow(/changes that are not committed/);
    await commit();
    await write();
    expect(await push()).toEqual([{ name: web, digest: fakeService(web).digest }]);
    expect(await copy.git('ls-remote', bare, 'refs/heads/main')).toContain(await copy.git('rev-parse', 'HEAD'));
    await push();
  });

  it('is refused when the working copy or the remote has moved on', async () => {
    await commit();
    await write();
    const other = await cloneRepository(bare);
    await other.push({ 'theirs.txt': 'x' });
    await rm(other.folder, { recursive: true, force: true });
    await expect(push()).rejects.toThrow(`git push to ${bare} failed`);
    await copy.git('commit', '--quiet', '--allow-empty', '-m', 'third');
    await expect(push()).rejects.toThrow(/the plan was made of/);
  });

  it('is of the source whose remote it has, where there are several, and pushed to no other', async () => {
    const other = { ...source(), name: 'apps', url: 'https://example.org/apps.git' };
    const meant = await withSource(asSource, copy.folder, [other, source()], never);
    expect(meant).toEqual({ ...asSource, source: 'main' });
    expect(await withSource(asSource, copy.folder, [source()], never)).toEqual(asSource);
    expect(await withSource(asSource, folder, [other, source()], never)).toEqual(asSource);
    const named = { ...asSource, source: 'apps' };
    expect(await withSource(named, copy.folder, [other, source()], never)).toEqual(named);
    await commit();
    await writePlan(file, { ...of, request: named, plan, folder: copy.folder });
    await expect(push()).rejects.toThrow(/a working copy of main, and the plan is of apps/);
  });

  it('needs a working copy', async () => {
    const nowhere = writePlan(file, { ...of, request: asSource, plan, folder });
    await expect(nowhere).rejects.toThrow(/is no working copy/);
  });
});
