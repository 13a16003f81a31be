import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SavedPlanning, savePlanning } from '../../reconciler/saved-planning.ts';
import { listenApi, type TestApi, testToken } from '../support/api-server.ts';
import { aPolicy, at } from '../support/builders.ts';
import { runCommand } from '../support/commands.ts';
import { aFleet } from '../support/fleet.ts';

const service = (name: string, more = '') => `applications:
- application_name: shop
  microservices:
  - { microservice_name: ${name}, code: nginx:1, memory: 10${more} }
`;

/** A machine without a cluster, and the snapshot of one that is elsewhere. */
describe('plan --offline', () => {
  let folder: string;
  let snapshot: SavedPlanning;
  let file: string;
  let api: TestApi;
  const path = (name: string) => join(folder, name);
  const plan = (...args: string[]) => runCommand('plan', [...args, '--offline', '--snapshot', file]);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oakctl-offline-'));
    process.env['OAKCTL_HOME'] = path('nowhere');
    const fleet = aFleet(3);
    fleet.run(10_000);
    const source = { name: 'main', path: '', before: [], approvals: [], owners: {}, held: [], listingsBeside: [] };
    const planning = {
      world: fleet.world,
      policy: aPolicy(),
      now: at(fleet.now()),
      limits: 'none',
      direct: {},
      sources: [source],
    } as const;
    fleet.world.recovering = false;
    snapshot = savePlanning(planning, 'ab'.repeat(32));
    file = path('cluster.json');
    await writeFile(file, JSON.stringify(snapshot));
    await writeFile(path('app.yaml'), service('web', ', replicas: 2'));
    await writeFile(path('big.yaml'), service('big').replace('memory: 10', 'memory: 99999'));
    await mkdir(path('repository'));
    await writeFile(path('repository/web.yaml'), service('web'));
    api = await listenApi({ snapshot: async () => snapshot });
    await writeFile(path('token'), testToken);
  });
  afterAll(async () => {
    delete process.env['OAKCTL_HOME'];
    await api.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('needs no cluster, and ends as plan does: 0 same, 1 differs or is held, 2 failed', async () => {
    expect(await plan()).toMatchObject({ code: 0, stdout: 'Nothing to change: 0 instances as wanted.\n' });
    const differs = await plan(path('app.yaml'));
    expect(differs).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Offline: .* as it was at 20\d\d-/) });
    expect(differs.stdout).toMatch(/\+ start shop\.default\.web\.default\.instance\.0 on pi1: /);
    expect(differs.stdout).toMatch(
      /0 of it there, 0% promised, \d+ MB free; 3 of 3 nodes fit, next pi2: 0 of it there/,
    );
    const held = await plan(path('big.yaml'));
    expect(held).toMatchObject({ code: 1, stdout: expect.stringMatching(/NO_CAPACITY.*needs 99999 MB, largest free/) });
    const source = await plan(path('repository'), '--as-source');
    expect(source).toMatchObject({ code: 1, stdout: expect.stringContaining('1 start; 0 as wanted.') });
    await writeFile(path('bad.yaml'), 'applications: 1\n');
    expect(await plan(path('bad.yaml'))).toMatchObject({ code: 2, stderr: expect.stringContaining('bad.yaml:1') });
  });

  it('prints what plan prints with -o json', async () => {
    const { stdout } = await plan(path('app.yaml'), '-o', 'json');
    const placement = { score: { instances: 0, promised: 0 }, others: { fit: 3, unfit: [] } };
    expect(JSON.parse(stdout)).toMatchObject({ changes: [{ node: 'pi1', placement }, { node: 'pi2' }], holds: [] });
  });

  it.each([
    ['that is not there', undefined, [], /NOT_FOUND.*no\.json/],
    ['that is cut off', (text: string) => text.slice(0, 500), [], /SNAPSHOT_INVALID.*ends in the middle/],
    ['that is not JSON', () => 'nodes: []', [], /SNAPSHOT_INVALID.*not JSON/],
    ['of an older version', (text: string) => text.replace('"version":2', '"version":1'), [], /older version \(1\)/],
    ['of another cluster', (text: string) => text, ['--cluster', 'far'], /is of the cluster .*, not of far/],
  ])('refuses a snapshot %s', async (_, change, args, message) => {
    const broken = path('no.json');
    await rm(broken, { force: true });
    if (change) await writeFile(broken, change(JSON.stringify(snapshot)));
    const done = await runCommand('plan', ['--offline', '--snapshot', broken, ...args]);
    expect(done).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
  });

  it.each([[['--offline']], [['--snapshot', 'x']], [['--cluster', 'x']]])('%j alone is a usage error', async (args) => {
    expect(await runCommand('plan', args)).toMatchObject({ code: 2, stdout: '' });
  });

  it('writes what deploy --plan carries out, and refuses when the cluster says something else by now', async () => {
    const out = path('plan.json');
    const written = await plan(path('app.yaml'), '--out', out);
    expect(written).toMatchObject({ code: 1, stderr: expect.stringContaining(`oakctl deploy --plan ${out}`) });
    const { request, plan: said } = JSON.parse(await readFile(out, 'utf8'));
    expect(request.documents).toMatchObject([{ text: service('web', ', replicas: 2') }]);
    const deployed: unknown[] = [];
    let token: string = said.token;
    const live = await listenApi({
      plan: async () => ({ changes: [], holds: [], settled: 2, problems: [], token }),
      deploy: async (asked) => {
        deployed.push(asked);
        return { services: [], warnings: [] };
      },
    });
    const target = ['--api', live.url, '--token-file', path('token')];
    expect(await runCommand('deploy', ['--plan', out, ...target])).toMatchObject({ code: 0 });
    expect(deployed).toMatchObject([{ documents: request.documents, plan: said.token }]);
    token = token.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    const late = await runCommand('deploy', ['--plan', out, ...target]);
    expect(late).toMatchObject({ code: 4, stderr: expect.stringMatching(/the state is another.*no more: start shop/) });
    expect(deployed).toHaveLength(1);
    await live.close();
  });

  it.each([[[]], [['app.yaml', '--plan', 'p.json']], [['app.yaml', '--repo', '.']]])(
    'deploy %j is a usage error',
    async (args) => {
      expect(await runCommand('deploy', args)).toMatchObject({ code: 2, stdout: '' });
    },
  );

  it('reads what snapshot wrote, for its owner only', async () => {
    const target = ['--api', api.url, '--token-file', path('token')];
    const written = path('written.json');
    const saved = await runCommand('snapshot', ['--out', written, '-o', 'json', ...target]);
    expect(JSON.parse(saved.stdout)).toMatchObject({ file: written, cluster: snapshot.cluster, taken: snapshot.taken });
    expect(JSON.parse(await readFile(written, 'utf8'))).toEqual(JSON.parse(JSON.stringify(snapshot)));
    expect((await stat(written)).mode & 0o777).toBe(0o600);
    const printed = await runCommand('snapshot', target);
    expect(JSON.parse(printed.stdout)).toEqual(JSON.parse(JSON.stringify(snapshot)));
    expect(await runCommand('plan', ['--offline', '--snapshot', written])).toMatchObject({ code: 0 });
    const nowhere = await runCommand('snapshot', ['--out', path('no/such/folder.json'), ...target]);
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('FILE_UNWRITABLE') });
  });
});
