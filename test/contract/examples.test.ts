import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readFile } from '../../reconciler/core/snapshot.ts';
import { classifyFile, mayCount } from '../../schemas/classify.ts';
import { checkNames, parseDescriptor } from '../../schemas/descriptor.ts';
import { editorSchemas } from '../../schemas/editor-schemas.ts';
import { type Grant, missingGrant } from '../../schemas/grants.ts';
import { parseNodesFile } from '../../schemas/nodes-file.ts';
import { besideOf, besideReference } from '../../schemas/overlay.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseSecret, secretFile, secretOf } from '../../schemas/secret-file.ts';
import { besideClusters, selectPaths } from '../../schemas/selection.ts';
import { parseRepositorySettings } from '../../schemas/settings.ts';
import { curlApplication } from '../support/descriptors.ts';

const root = fileURLToPath(new URL('../../examples/', import.meta.url));
/** What runs beside a cluster, and is no repository for one. */
const apart = 'monitoring/';
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => mayCount(path) && !path.startsWith(apart))
  .sort();
const textOf = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const names = (paths: readonly string[]) =>
  paths.flatMap((path) => parseDescriptor(textOf(path), path).services.map(({ spec }) => spec.name)).sort();

/** The folder from which a reconciler would read a file, and the file's path in it. */
function inItsFolder(path: string): string {
  return path.replace(/^fleet\/(clusters\/[^/]+|common)\//, '').replace(/^[^/]+\//, '');
}

function secretPathOf(reference: string): string | undefined {
  const name = secretOf(reference);
  return name === undefined ? undefined : secretFile(name);
}

/** Class and problems of a file. */
function check(path: string) {
  const text = textOf(path);
  const { kind } = classifyFile(inItsFolder(path), text);
  if (basename(path) === 'policy.yaml') return { kind: 'policy', ...parsePolicy(text, path) };
  if (kind === 'nodes') return { kind, ...parseNodesFile(text, path) };
  if (kind === 'settings') return { kind, ...parseRepositorySettings(text, path) };
  if (kind === 'ignored') return { kind: 'secret', ...parseSecret(text, path, basename(path, '.yaml')) };
  const { references } = parseDescriptor(text, path);
  const placeOf = (from: string): string => {
    const beside = besideOf(from);
    return (beside && besideClusters(beside, path)) ?? join(dirname(path), secretPathOf(from) ?? from);
  };
  const taken = references.map((from) => [from, textOf(placeOf(from))]);
  const { patches, ...parsed } = parseDescriptor(text, path, { files: Object.fromEntries(taken) });
  return { ...parsed, kind: patches.length > 0 ? 'patch' : kind };
}

describe('examples', () => {
  it('are there', () => expect(files.length).toBeGreaterThanOrEqual(9));

  it.each(files)('%s is valid, without warnings', (path) => {
    const { kind, problems } = check(path);
    expect(['descriptor', 'patch', 'nodes', 'settings', 'policy', 'secret']).toContain(kind);
    const known: Record<string, string> = { clientsrvr: 'FIELD_NOT_SERVED', host: 'GRANT_NEEDED' };
    const expected = kind === 'policy' ? undefined : known[dirname(path)];
    expect(problems.map(({ code }) => code)).toEqual(expected ? [expected] : []);
  });

  it.each(files.filter((path) => check(path).kind !== 'secret'))('%s pleases an editor', (path) => {
    const { kind } = check(path);
    const name =
      { nodes: 'nodes', patch: 'patch', settings: 'oakctl', policy: 'policy' }[kind as string] ?? 'descriptor';
    const schema = JSON.parse(editorSchemas()[`${name}.schema.json`] ?? '');
    const validate = new Ajv2020({ strict: false }).compile(schema);
    validate(parse(textOf(path)));
    expect(validate.errors).toBeNull();
    const named = /\$schema=(\S+)/.exec(textOf(path))?.[1];
    if (named) expect(new URL(named, `file:///examples/${path}`).pathname).toBe(`/schemas/json/${name}.schema.json`);
  });

  it('the one of Oakestra is unchanged', () => {
    const images = { curl: 'docker.io/curlimages/curl:7.82.0', nginx: 'docker.io/library/nginx:latest' };
    const text = textOf('clientsrvr/deploy_curl_application.yaml');
    expect(text.trim()).toBe(curlApplication(images).trim());
    expect(names(['clientsrvr/deploy_curl_application.yaml'])).toEqual([
      'clientsrvr.test.curl.test',
      'clientsrvr.test.nginx.test',
    ]);
  });

  it('of a web server asks for three instances', () => {
    const [service] = parseDescriptor(textOf('hello/hello.yaml'), 'hello.yaml').services;
    expect(service?.spec).toMatchObject({ replicas: 3, update: { order: 'stop_first', timeout: 120_000 } });
  });

  it('of files has them', () => {
    const files = { './conf/site.conf': textOf('files/conf/site.conf') };
    const [service] = parseDescriptor(textOf('files/site.yaml'), 'site.yaml', { files }).services;
    expect(service?.spec.run.files?.map(({ path, mode }) => [path, mode])).toEqual([
      ['/etc/nginx/conf.d/default.conf', 0o440],
      ['/usr/share/nginx/html/index.html', 0o644],
    ]);
  });

  it('of host access is granted by the policy beside it, and by no less', () => {
    const [service] = parseDescriptor(textOf('host/meter.yaml'), 'meter.yaml').services;
    const { policy } = parsePolicy(textOf('host/policy.yaml'), 'policy.yaml');
    const missing = (change: Partial<Grant>) =>
      service &&
      missingGrant(
        service.spec.name,
        service.spec.run,
        (policy?.grants ?? []).map((one) => ({ ...one, ...change })),
      );
    expect(missing({})).toBeUndefined();
    for (const less of [{ app: 'other.default' }, { devices: [] }, { mounts: [] }, { caps: [] }])
      expect(missing(less), JSON.stringify(less)).toBeDefined();
  });

  it('of a database keeps its data, and starts what needs it afterwards', () => {
    const { services } = parseDescriptor(textOf('database/library.yaml'), 'library.yaml');
    const specs = new Map(services.map(({ spec }) => [spec.name, spec]));
    const [db, shelves, desk] = ['db', 'shelves', 'desk'].map((name) => `library.default.${name}.default`);
    expect(specs.get(db ?? '')).toMatchObject({
      run: { volumes: [{ name: 'data', mount_path: '/data' }] },
      update: { order: 'stop_first' },
    });
    expect(specs.get(shelves ?? '')).toMatchObject({ run: { one_shot: true }, depends_on: [db] });
    expect(specs.get(desk ?? '')?.depends_on).toEqual([db, shelves]);
  });

  it('of a rollout begins with a pool that nodes.yaml has', () => {
    const [service] = parseDescriptor(textOf('rollout/kiosk.yaml'), 'kiosk.yaml').services;
    expect(service?.spec.update).toMatchObject({ order: 'start_first', canary: { pool: 'trial', wait: 600_000 } });
    const pools = parseNodesFile(textOf('rollout/nodes.yaml'), 'nodes.yaml').listings.map(({ pool }) => pool);
    expect(pools.filter((pool) => pool === 'trial')).toHaveLength(1);
    expect(pools.length).toBeGreaterThanOrEqual(Number(service?.spec.replicas));
  });

  it('of a process is one', () => {
    const [service] = parseDescriptor(textOf('process/clock.yaml'), 'clock.yaml').services;
    expect(service?.spec.run).toMatchObject({ virtualization: 'process', code: '/bin/sh' });
  });

  it('of a fleet give each cluster its share', () => {
    const entries = files
      .filter((path) => path.startsWith('fleet/'))
      .map((path) => ({ path: path.slice('fleet/'.length) }));
    const metrics = 'common/agent-metrics.yaml';
    const shareOf = (cluster: string) =>
      selectPaths(entries, { cluster, path: '' })
        .map(({ path }) => ({ path, blob: '', mode: '100644', text: textOf(`fleet/${path}`) }))
        .map((file) => ({ ...file, ...taken(file.path) }))
        .map((file) => readFile(file, { cluster, path: '', labels: { tier: 'small' } }));
    const taken = (path: string) =>
      path.endsWith('metrics.yaml') && path.startsWith('clusters/')
        ? { files: { [besideReference(metrics)]: textOf(`fleet/${metrics}`) } }
        : {};
    const services = (cluster: string) =>
      [...new Set(shareOf(cluster).flatMap((reading) => reading.services.map(({ spec }) => spec.name)))].sort();
    expect(services('home')).toEqual([
      'cameras.default.recorder.default',
      'cameras.default.viewer.default',
      'metrics.infra.exporter.infra',
    ]);
    expect(services('shop')).toEqual(['metrics.infra.exporter.infra', 'till.prod.display.prod']);
    expect(services('elsewhere')).toEqual(['metrics.infra.exporter.infra']);
    expect(
      shareOf('home')
        .flatMap((reading) => reading.listings ?? [])
        .map(({ name }) => name),
    ).toEqual(['pi-attic', 'pi-cellar', 'nuc']);
    expect(shareOf('home').every((reading) => reading.problems.length === 0)).toBe(true);
    const [patch] = shareOf('shop').filter(({ patches }) => patches?.includes(metrics));
    expect(patch?.services.map(({ spec }) => [spec.needs.memory, spec.run.environment])).toEqual([
      [48, ['SITE=shop', 'TIER=small']],
    ]);
  });

  it('do not share a name', () => {
    const all = files.filter((path) => check(path).kind === 'descriptor');
    expect(checkNames(all.flatMap((path) => parseDescriptor(textOf(path), path).services))).toEqual([]);
  });
});
