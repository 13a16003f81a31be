/** examples/monitoring against a cluster: Debian's Prometheus with the example's file, and every query of the dashboard. Grafana is not run. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { ownPort, unique } from '../support/machine.ts';

const run = promisify(execFile);
const example = 'examples/monitoring';
const binary = '/usr/bin/prometheus';

/** False: the tests that need Prometheus are skipped. In CI it must be there. */
function hasPrometheus(): boolean {
  const isThere = existsSync(binary) && existsSync('/usr/bin/promtool');
  if (!isThere && process.env['CI']) throw new Error('Prometheus is missing: apt-get install prometheus');
  return isThere;
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}
const dashboard = JSON.parse(await readFile(`${example}/grafana/dashboards/oakctl.json`, 'utf8')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);

describe.skipIf(!hasPrometheus())('monitoring', () => {
  const app = unique('hello');
  let cluster: TestCluster;
  let folder: string;
  let url: string;
  let log = '';
  let ended: Promise<unknown> = Promise.resolve();
  let end = (): void => undefined;

  const descriptor = (text: string) =>
    JSON.stringify({
      sla_version: 'v2.0',
      applications: [
        {
          application_name: app,
          microservices: [
            {
              microservice_name: 'loop',
              virtualization: 'process',
              code: '/bin/sh',
              cmd: ['-c', `echo ${text}; exec sleep 100000`],
              replicas: 2,
              update: { settle: '100ms' },
            },
          ],
        },
      ],
    });

  const value = async (expr: string): Promise<readonly number[]> => {
    const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr })}`);
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data?: { result: readonly { value: readonly [number, string] }[] };
    };
    expect(status, `${expr}: ${error}`).toBe('success');
    return (data?.result ?? []).map((one) => Number(one.value[1]));
  };

  beforeAll(async () => {
    cluster = await createTestCluster({ workers: 2, runtime: 'process' });
    await cluster.repository.push({ 'a.yaml': descriptor('one') });
    folder = await mkdtemp(join(tmpdir(), 'oakctl-prometheus-'));
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    const config = (await readFile(`${example}/prometheus.yml`, 'utf8'))
      .replace('127.0.0.1:10100', new URL(api).host)
      .replace('/run/oakctl/token', join(cluster.folder, 'api-token'))
      .replace('scrape_interval: 15s', 'scrape_interval: 1s');
    await writeFile(join(folder, 'prometheus.yml'), config);
    const address = `127.0.0.1:${await ownPort(140)}`;
    url = `http://${address}`;
    const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
    const child = spawn(binary, [...args, `--web.listen-address=${address}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    ended = new Promise((resolve) => child.once('close', resolve));
    end = () => void child.kill('SIGKILL');
  });
  afterAll(async () => {
    end();
    await ended;
    await takeDown(cluster);
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it('is asked with the token, and answers what Prometheus finds nothing wrong with', async () => {
    await eventually(async () => expect(await value('up{job="oakctl"}'), log).toEqual([1]));
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    expect((await fetch(`${api}/metrics`)).status).toBe(401);
    const token = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
    const text = await (await fetch(`${api}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
    await writeFile(join(folder, 'metrics.txt'), text);
    await run('/bin/sh', ['-c', `promtool check metrics < ${folder}/metrics.txt`]).catch(
      (error: { stderr: string }) => {
        // What Node's own metrics are called is not ours to choose.
        const complaints = error.stderr.split('\n').filter((line) => line.startsWith('oakctl_'));
        expect(complaints).toEqual([]);
      },
    );
    await run('promtool', ['check', 'config', '--syntax-only', `${example}/prometheus.yml`]);
  });

  it('shows what the cluster says of itself', async () => {
    await cluster.settled({ [`${app}.default.loop.default`]: 2 });
    await eventually(async () => expect(await value('oakctl_instances_healthy')).toEqual([2]));
    expect(await value('oakctl_nodes{state="online"}')).toEqual([2]);
    expect(await value('sum(oakctl_node_instances)')).toEqual([2]);
  });

  it('has data for every query of the dashboard', async () => {
    expect(queries.length).toBeGreaterThan(30);
    // Rates and quantiles tell of what happens while somebody looks.
    await cluster.repository.push({ 'a.yaml': descriptor('two') });
    await cluster.oakctl('sync');
    for (const [title, expr] of queries) {
      const asked = expr.replaceAll('$__rate_interval', '2m');
      await eventually(
        async () => {
          const found = await value(asked);
          expect(found.length, `${title}: ${asked}`).toBeGreaterThan(0);
          expect(found.some(Number.isFinite), `${title}: ${asked} is ${found.join()}`).toBe(true);
        },
        { timeout: 30_000 },
      );
    }
  });

  it('is told to Grafana by the names that the dashboard has, and to docker-compose without a default password', async () => {
    const source = await readFile(`${example}/grafana/datasources/oakctl.yaml`, 'utf8');
    const uids = new Set(dashboard.panels.flatMap(({ datasource }) => datasource?.uid ?? []));
    for (const uid of uids) expect(source).toContain(`uid: ${uid}`);
    if (!existsSync('/usr/bin/docker-compose')) return;
    const config = (env: NodeJS.ProcessEnv) =>
      run('docker-compose', ['-f', `${example}/compose.yaml`, 'config'], {
        env: { PATH: process.env['PATH'], ...env },
      });
    await expect(config({ OAKCTL_TOKEN_FILE: '/tmp/token' })).rejects.toThrow(/GRAFANA_PASSWORD/);
    const { stdout } = await config({ OAKCTL_TOKEN_FILE: '/tmp/token', GRAFANA_PASSWORD: 'chosen' });
    expect(stdout).toContain('GF_SERVER_HTTP_PORT');
  });
});
