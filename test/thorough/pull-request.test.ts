/** The workflow of examples/pull-request, run step by step as its runner would, with the shipped program and a forge of the test. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createTestCluster, program, type Ran, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { unique } from '../support/machine.ts';

interface Step {
  readonly uses?: string;
  readonly id?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}
interface Comment {
  readonly id: number;
  readonly body: string;
}

const app = unique('reviewed');
const clock = (replicas: number) =>
  descriptor(app, {
    clock: {
      virtualization: 'process',
      code: '/bin/sh',
      cmd: ['-c', 'while true; do sleep 1; done'],
      replicas,
      memory: 10,
    },
  });
const workflow = parse(await readFile('examples/pull-request/.github/workflows/plan.yaml', 'utf8')) as {
  readonly jobs: { readonly plan: { readonly steps: readonly Step[] } };
};

let cluster: TestCluster;
let temp: string;
let forge: Server;
let comments: Comment[];
let strangers: string[];

/** As the forges have it: lists by pages, one more, one renewed; only for who has the token of the run. */
async function answerForge(request: IncomingMessage): Promise<readonly [status: number, body: unknown]> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://forge');
  if (request.headers.authorization !== 'token of-the-run') return [401, { message: 'Bad credentials' }];
  const body = request.method === 'GET' ? '' : (JSON.parse(await textOf(request)) as Comment).body;
  if (request.method === 'GET' && pathname === '/repos/shop/fleet/issues/7/comments') {
    const [size, page] = [Number(searchParams.get('per_page')), Number(searchParams.get('page'))];
    return [200, comments.slice((page - 1) * size, page * size)];
  }
  if (request.method === 'POST' && pathname === '/repos/shop/fleet/issues/7/comments') {
    comments.push({ id: comments.length + 1, body });
    return [201, comments.at(-1)];
  }
  const id = Number(/^\/repos\/shop\/fleet\/issues\/comments\/(\d+)$/.exec(pathname)?.[1]);
  if (request.method !== 'PATCH' || comments[id - 1] === undefined)
    return [404, { message: `${request.method} ${pathname}` }];
  comments[id - 1] = { id, body };
  return [200, comments[id - 1]];
}

/** Carries out the steps in `folder`; answers how the last one ended, and everything that was printed. */
async function runWorkflow(folder: string, said: { readonly token: string; readonly api?: string }): Promise<Ran> {
  const { port } = forge.address() as AddressInfo;
  const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as {
    readonly api: string;
  };
  const known: Record<string, string> = {
    'vars.OAKCTL_API': said.api ?? api,
    'vars.OAKCTL_CA': '',
    'vars.OAKCTL_SOURCE': '',
    'secrets.OAKCTL_TOKEN': said.token,
    'github.token': 'of-the-run',
    'github.repository': 'shop/fleet',
    'github.event.pull_request.number': '7',
    'github.event.pull_request.head.sha': 'c0ffee',
  };
  const output = join(temp, 'output');
  const runner = { GITHUB_API_URL: `http://127.0.0.1:${port}`, RUNNER_TEMP: temp, GITHUB_OUTPUT: output };
  let printed = '';
  for (const { uses, id, shell = '', env = {}, run } of workflow.jobs.plan.steps) {
    if (uses === 'actions/checkout@v4') continue;
    expect(run).not.toContain('${{');
    const script = join(temp, 'script');
    await writeFile(script, run ?? '');
    await writeFile(output, '');
    const values = Object.entries(env).map(([name, value]) => {
      return [name, value.replace(/\$\{\{ (.*?) \}\}/g, (_, key: string) => known[key] ?? `no ${key}`)];
    });
    const [command = '', ...args] =
      shell === 'bash' ? ['bash', '-eo', 'pipefail', script] : shell.replace('{0}', script).split(' ');
    const path = `${join(temp, 'bin')}${delimiter}${process.env['PATH']}`;
    const ran = await execute(command, args, folder, {
      PATH: path,
      HOME: temp,
      ...runner,
      ...Object.fromEntries(values),
    });
    printed += ran.stdout + ran.stderr;
    if (ran.code !== 0) return { ...ran, stdout: printed };
    for (const line of (await readFile(output, 'utf8')).split('\n').filter(Boolean)) {
      const [name, value = ''] = line.split('=');
      known[`steps.${id}.outputs.${name}`] = value;
    }
  }
  return { code: 0, stdout: printed, stderr: '' };
}

function execute(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
    });
  });
}

let token: string;
let checkout: string;
const write = (replicas: number) => writeFile(join(checkout, 'clock.yaml'), clock(replicas));

beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'oakctl-runner-'));
  await mkdir(join(temp, 'bin'));
  await writeFile(join(temp, 'bin', 'oakctl'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, {
    mode: 0o755,
  });
  forge = createServer((request, response) => {
    answerForge(request).then(([status, body]) => {
      if (status === 404) strangers.push(JSON.stringify(body));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }, response.destroy.bind(response));
  });
  await new Promise<void>((resolve) => forge.listen(0, '127.0.0.1', resolve));
  cluster = await createTestCluster({ workers: 1, runtime: 'process' });
  await cluster.repository.push({ 'clock.yaml': clock(1) });
  await cluster.settled({ [fullName(app, 'clock')]: 1 });
  const made = await cluster.oakctl(
    'users',
    'token',
    'create',
    'Admin',
    '--role',
    'viewer',
    '--ttl',
    '90d',
    '-o',
    'json',
  );
  ({ token } = JSON.parse(made) as { readonly token: string });
  checkout = cluster.repository.folder;
});
afterAll(async () => {
  await takeDown(cluster);
  await new Promise((resolve) => forge.close(resolve));
  await rm(temp, { recursive: true, force: true });
});
beforeEach(() => {
  comments = Array.from({ length: 60 }, (_, index) => ({ id: index + 1, body: `a word of somebody ${index}` }));
  strangers = [];
});

it('says in one comment what would change, and renews it; nothing is carried out', async () => {
  await write(3);
  const before = await cluster.instances();
  expect(await runWorkflow(checkout, { token })).toMatchObject({ code: 0 });
  expect(comments).toHaveLength(61);
  expect(comments[60]?.body).toMatch(
    /^<!-- oakctl plan -->\nChanges the cluster:\n\n```\n[\s\S]*\+ start .*instance\.1[\s\S]*2 start; 1 as wanted\.\n```/,
  );
  await write(1);
  expect(await runWorkflow(checkout, { token })).toMatchObject({ code: 0 });
  expect(comments).toHaveLength(61);
  expect(comments[60]?.body).toMatch(/Changes nothing in the cluster\.[\s\S]*Nothing to change: 1 instance as wanted/);
  expect(await cluster.instances()).toHaveLength(before.length);
  expect(strangers).toEqual([]);
});

it.each([
  [
    'a descriptor that cannot be read',
    async () => writeFile(join(checkout, 'clock.yaml'), 'applications: ["```'),
    {},
    /clock\.yaml:1/,
  ],
  ['a token that is none', async () => write(3), { token: 'nonsense' }, /UNAUTHORIZED/],
  ['a reconciler that does not answer', async () => write(3), { api: 'http://127.0.0.1:1' }, /127\.0\.0\.1:1/],
])('fails for %s, and says why below the request', async (_, change, said, why) => {
  await change();
  const { code, stdout } = await runWorkflow(checkout, { token, ...said });
  expect([code, comments.length]).toEqual([1, 61]);
  expect(comments[60]?.body).toMatch(/^<!-- oakctl plan -->\nCannot be planned:\n/);
  expect(comments[60]?.body).toMatch(why);
  expect(stdout).not.toContain(token);
  expect(comments[60]?.body).not.toContain(token);
});
