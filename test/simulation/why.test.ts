/** `oakctl why` on broken situations: the cause that it must name was fixed before it was asked. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodePolicy } from '../../schemas/policy.ts';
import type { Cause } from '../../schemas/views.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { settled, node, instancesOf } = tell(() => cluster);
const web = 'shop.default.web.default';

type Spec = Readonly<Record<string, unknown>>;
const one = (spec: Spec = {}, name = 'web'): string => descriptor([{ microservice_name: name, ...spec }]);
const files = (...names: string[]) => Object.fromEntries(names.map((name) => [`${name}.yaml`, one({}, name)]));
const deploy = (spec: Spec = {}, name = 'web') =>
  cluster.reconciler.control.deploy({ documents: [{ file: `${name}.yaml`, text: one(spec, name) }] });
const later = (ms = 5_000) => cluster.clock.advance(ms);
const listed = (text: string) => cluster.push({ 'nodes.yaml': text });
const entry = (host: string, more = '') => `- node:\n    hostname: ${host}\n${more}`;
/** The copies of web that run, with their engine. */
const copies = () =>
  cluster.nodes.flatMap(({ runtime }) =>
    [...runtime.copies.values()].filter(({ instance }) => instance.startsWith(web)).map((copy) => ({ runtime, copy })),
  );
const bothVersions = async (spec: Spec, fail: () => void) => {
  await deploy({ replicas: 3, ...spec });
  await settled('web');
  fail();
  await deploy({ replicas: 3, ...spec, code: 'oakctl/test:2' });
};
const failing = (code: 'IMAGE_NOT_FOUND' | 'START_FAILED', part = ':2') => {
  for (const { runtime } of cluster.nodes)
    runtime.script(code === 'START_FAILED' ? 'start' : 'prepare', part, { fail: code });
};

interface Situation {
  readonly workers?: number;
  /** What the owners of nodes allow. */
  readonly policies?: ReadonlyMap<string, NodePolicy>;
  readonly settings?: string;
  /** What is asked, when it is not the service `web`. */
  readonly ask?: string;
  readonly setup: () => Promise<unknown>;
}
type Row = readonly [cause: string, title: string, situation: Situation];
const single = { workers: 1 };
const label = (rule: Spec) => ({ constraints: [{ type: 'label', label: 'disk', ...rule }] });
const check = { healthcheck: { command: ['true'], interval: '1s' } };

const placement: readonly Row[] = [
  ['NO_NODE', 'a cluster without nodes', { workers: 0, setup: () => deploy() }],
  [
    'NO_RUNTIME',
    'a process where only Docker is',
    { setup: () => deploy({ virtualization: 'process', code: '/bin/x' }) },
  ],
  ['SCHEDULED', 'a job between two runs', { setup: () => deploy({ one_shot: true, schedule: '@yearly' }) }],
  ['NO_CAPACITY', 'more memory than any node has', { setup: () => deploy({ memory: 9_999 }) }],
  ['NO_CAPACITY', 'more cores than any node has', { setup: () => deploy({ vcpus: 64 }) }],
  ['NO_CAPACITY', 'a GPU where is none', { setup: () => deploy({ vgpus: 1 }) }],
  [
    'NO_CAPACITY',
    'nodes that others have filled',
    {
      setup: async () => [
        await deploy({ memory: 4_000, replicas: 3 }, 'big'),
        await settled('big'),
        await deploy({ memory: 500 }),
      ],
    },
  ],
  [
    'PORT_CONFLICT',
    'more copies with a fixed port than nodes',
    { workers: 2, setup: () => deploy({ port: '80', replicas: 3 }) },
  ],
  [
    'PORT_CONFLICT',
    'a port that another service has',
    {
      ...single,
      setup: async () => [await deploy({ port: '80' }, 'first'), await settled('first'), await deploy({ port: '80' })],
    },
  ],
  [
    'DIRECT_NODE_UNKNOWN',
    'a node that nobody knows',
    { setup: () => deploy({ constraints: [{ type: 'direct', node: 'nowhere' }] }) },
  ],
  [
    'OTHER_CLUSTER',
    'a service for another cluster',
    { setup: () => deploy({ constraints: [{ type: 'direct', cluster: 'other' }] }) },
  ],
  [
    'OTHER_CLUSTER',
    'a list of other clusters',
    { setup: () => deploy({ constraints: [{ type: 'clusters', allowed: ['x', 'y'] }] }) },
  ],
  ['LABEL_MISMATCH', 'a label value that no node has', { setup: () => deploy(label({ in: ['ssd'] })) }],
  ['LABEL_MISMATCH', 'a label that no node has', { setup: () => deploy(label({ exists: true })) }],
  [
    'LABEL_MISMATCH',
    'a label value that every node has and must not',
    {
      ...single,
      setup: async () => [
        await listed(entry('worker-1', '    labels: {disk: hdd}\n')),
        await deploy(label({ not_in: ['hdd'] })),
      ],
    },
  ],
  [
    'NODES_AWAY',
    'a node that is listed and never came',
    {
      setup: async () => [await listed(entry('pi9')), await deploy({ constraints: [{ type: 'direct', node: 'pi9' }] })],
    },
  ],
  [
    'NODES_AWAY',
    'a lone node that is silent',
    { ...single, setup: async () => [node(0).kill(), await later(), await deploy()] },
  ],
  [
    'NODES_AWAY',
    'the lost node of a service on every node',
    {
      setup: async () => [
        await deploy({ replicas: 'every' }),
        await settled('web'),
        node(0).kill(true),
        await later(60_000),
      ],
    },
  ],
  [
    'NODES_CORDONED',
    'a node that nodes.yaml cordons',
    { ...single, setup: async () => [await listed(entry('worker-1', '    cordon: true\n')), await deploy()] },
  ],
  [
    'NODES_CORDONED',
    'nodes that nodes.yaml does not list, where that cordons',
    { settings: 'cluster: test\nnode_class: lan\nnodes: { undeclared: cordon }\n', setup: () => deploy() },
  ],
  [
    'NODES_DUPLICATED',
    'a node with two agents',
    { ...single, setup: async () => [cluster.reconciler.contested(node(0).id, '10.0.0.9'), await deploy()] },
  ],
  ['HOST_NOT_GRANTED', 'a device', { setup: () => deploy({ host: { devices: ['/dev/ttyUSB0'] } }) }],
  [
    'HOST_NOT_GRANTED',
    'a folder of the host',
    { setup: () => deploy({ host: { mounts: [{ source: '/srv/data' }] } }) },
  ],
  ['HOST_NOT_GRANTED', "the host's network", { setup: () => deploy({ host: { network: 'host' } }) }],
  ['HOST_NOT_GRANTED', 'a capability', { setup: () => deploy({ host: { caps: ['NET_ADMIN'] } }) }],
  ['HOST_NOT_GRANTED', 'a privileged container', { setup: () => deploy({ privileged: true }) }],
  [
    'IMAGE_NOT_ALLOWED',
    'an image that its node does not allow',
    {
      ...single,
      policies: new Map([['worker-1', { grants: [], accepts: { images: ['docker.io/library/web'] } }]]),
      setup: () => deploy(),
    },
  ],
];

const running: readonly Row[] = [
  [
    'SILENT_NODE',
    'a node that fell silent a moment ago',
    {
      setup: async () => [
        await deploy(),
        await settled('web'),
        cluster.nodes.map((one) => one.kill()),
        await later(2_000),
      ],
    },
  ],
  [
    'IN_PROGRESS',
    'an image that takes its time',
    {
      setup: async () => [
        cluster.nodes.map((one) => one.runtime.script('prepare', '', 'hang')),
        await deploy(),
        await later(),
      ],
    },
  ],
  [
    'SETTLING',
    'a copy that must prove itself',
    { setup: async () => [await deploy({ update: { settle: '60s' } }), await later()] },
  ],
  [
    'UNHEALTHY',
    'a failing healthcheck',
    {
      setup: async () => [
        await deploy(check),
        await later(2_000),
        copies().map(({ runtime, copy }) => runtime.health(copy, 'unhealthy')),
        await later(2_000),
      ],
    },
  ],
  [
    'CRASH_LOOP',
    'a copy that ends again and again',
    {
      setup: async () => {
        await deploy();
        await settled('web');
        for (let i = 0; i < 12; i += 1) {
          for (const { runtime, copy } of copies()) if (copy.state === 'running') runtime.exit(copy, 1);
          await later(30_000);
        }
        for (const { runtime, copy } of copies()) if (copy.state === 'running') runtime.exit(copy, 1);
        await later(500);
      },
    },
  ],
  [
    'IMAGE_NOT_FOUND',
    'an image that is not there',
    { setup: async () => [failing('IMAGE_NOT_FOUND', ''), await deploy(), await later()] },
  ],
  [
    'START_FAILED',
    'a copy that the engine refuses to start',
    { setup: async () => [failing('START_FAILED', ''), await deploy(), await later()] },
  ],
  [
    'ENGINE_UNKNOWN',
    'an engine that is down',
    {
      setup: async () => [
        await deploy(),
        await settled('web'),
        cluster.nodes.map((one) => one.runtime.engine('down')),
        await later(90_000),
      ],
    },
  ],
  [
    'ENGINE_UNKNOWN',
    'an engine that hangs',
    {
      setup: async () => [
        await deploy(),
        await settled('web'),
        cluster.nodes.map((one) => one.runtime.engine('hung')),
        await later(90_000),
      ],
    },
  ],
  [
    'PLACEMENT_CHANGED',
    'a copy on a node that the descriptor does not name any more',
    {
      setup: async () => [
        await deploy({ constraints: [{ type: 'direct', node: 'worker-1' }] }),
        await settled('web'),
        await deploy({ constraints: [{ type: 'direct', node: 'worker-2' }] }),
        await later(),
      ],
    },
  ],
  [
    'UPDATE_QUEUED',
    'an instance whose turn has not come',
    { ask: `${web}.instance.2`, setup: async () => [await bothVersions({}, () => undefined), await later(2_000)] },
  ],
  [
    'ROLLED_BACK',
    'an update whose image is not there',
    { setup: async () => [await bothVersions({}, () => failing('IMAGE_NOT_FOUND')), await later(60_000)] },
  ],
  [
    'UPDATE_PAUSED',
    'a failed update that is to pause',
    {
      setup: async () => [
        await bothVersions({ update: { on_failure: 'pause' } }, () => failing('IMAGE_NOT_FOUND')),
        await later(60_000),
      ],
    },
  ],
  [
    'MASS_LOSS',
    'most nodes gone at once',
    {
      workers: 4,
      setup: async () => {
        await deploy({ replicas: 4 });
        await settled('web');
        for (const number of [0, 1, 2]) node(number).kill(true);
        await later(120_000);
      },
    },
  ],
  [
    'RECOVERING',
    'a reconciler that has just started',
    {
      setup: async () => {
        await deploy();
        await settled('web');
        cluster.killReconciler();
        for (const one of cluster.nodes) cluster.broker.cut(one.id);
        await later(1_000);
        await cluster.startReconciler();
        await later(500);
      },
    },
  ],
  [
    'LEDGER_UNREAD',
    'a node whose ledger is damaged',
    {
      setup: async () => {
        await deploy({ replicas: 3 });
        await settled('web');
        cluster.killReconciler();
        node(1).kill();
        node(1).files.content.set('ledger-0', '{"v":1,"fence":');
        cluster.broker.restart(10);
        await node(1).start();
        await cluster.startReconciler();
        await later(120_000);
      },
    },
  ],
];

const sources: readonly Row[] = [
  [
    'REMOVAL_GUARD',
    'a commit that removes too much',
    {
      setup: async () => [
        await cluster.push(files('a', 'b', 'c', 'd', 'e', 'web')),
        await settled('web', 'a'),
        await cluster.push(files('a')),
        await later(),
      ],
    },
  ],
  [
    'REMOVAL_GUARD',
    'a commit that removes all',
    {
      setup: async () => [
        await cluster.push(files('web', 'a')),
        await settled('web'),
        await cluster.push({ 'x.md': '' }),
        await later(),
      ],
    },
  ],
  [
    'SOURCE_INCOMPLETE',
    'a service that left while another file is broken',
    {
      setup: async () => [
        await cluster.push(files('web', 'a', 'b', 'c')),
        await settled('web'),
        await cluster.push({ ...files('b', 'c'), 'a.yaml': one({}, 'a').replace('"code"', '"cod"') }),
        await later(),
      ],
    },
  ],
  [
    'SOURCE_CONFLICT',
    'a direct service that git claims',
    { setup: async () => [await deploy(), await settled('web'), await cluster.push(files('web'))] },
  ],
  [
    'ANCESTRY_UNKNOWN',
    'a service of a commit that a forced push took away',
    {
      setup: async () => {
        const first = cluster.git.push(files('a', 'b', 'c', 'd'));
        await settled('a');
        await cluster.push(files('a', 'b', 'c', 'd', 'web'));
        await settled('web');
        await cluster.restartReconciler({
          between: async () => {
            cluster.records = { ...cluster.records, sources: {} };
            cluster.git.reset(first);
          },
        });
        await later(60_000);
      },
    },
  ],
  [
    'ORPHANED',
    'a copy that no record explains',
    {
      setup: async () => {
        await deploy();
        await settled('web');
        await cluster.restartReconciler({
          between: async () => {
            cluster.records = { ...cluster.records, direct: {}, rollouts: {}, sources: {} };
          },
        });
        await later(60_000);
      },
    },
  ],
  [
    'NOT_FOUND',
    'a service whose file cannot be read',
    {
      setup: async () => [
        await cluster.push({ ...files('a'), 'web.yaml': one().replace('"code"', '"cod"') }),
        await later(),
      ],
    },
  ],
  [
    'NOT_FOUND',
    'a service of a source that does not answer',
    {
      setup: async () => {
        cluster.git.unreachable = true;
        await later(120_000);
      },
    },
  ],
];

const subjects: readonly Row[] = [
  ['SILENT_NODE', 'a silent node', { ask: 'node/worker-1', setup: async () => [node(0).kill(), await later()] }],
  ['NODES_AWAY', 'a node that never joined', { ask: 'node/pi9', setup: () => listed(entry('pi9')) }],
  ['REVOKED', 'a revoked node', { ask: 'node/worker-1', setup: () => cluster.reconciler.control.revoke('worker-1') }],
  [
    'NODES_CORDONED',
    'a cordoned node',
    { ask: 'worker-1', setup: () => listed(entry('worker-1', '    cordon: true\n')) },
  ],
  [
    'DUPLICATE_NODE',
    'a node with two agents',
    { ask: 'node/worker-1', setup: async () => cluster.reconciler.contested(node(0).id, 'x') },
  ],
  [
    'NO_CAPACITY',
    'an application with one service that finds no room',
    {
      ask: 'shop',
      setup: async () => [await deploy({}, 'small'), await settled('small'), await deploy({ memory: 9_999 })],
    },
  ],
  ['LABEL_MISMATCH', 'one instance', { ask: `${web}.instance.0`, setup: () => deploy(label({ exists: true })) }],
  [
    'IMAGE_NOT_FOUND',
    'one instance of a service with a missing image',
    { ask: `${web}.instance.0`, setup: async () => [failing('IMAGE_NOT_FOUND', ''), await deploy(), await later()] },
  ],
];

/** All steps of a chain, from what was asked downwards. */
function steps(cause: Cause): readonly Cause[] {
  return [cause, ...cause.because.flatMap(steps)];
}
/** What it comes down to: the codes on the way that follows the first reason of each step. */
function mainCodes({ code, because: [first] }: Cause): readonly string[] {
  return [...(code ? [code] : []), ...(first ? mainCodes(first) : [])];
}

const situations = [...placement, ...running, ...sources, ...subjects];

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

describe('why', () => {
  it.each(situations)('%s: %s', async (code, _title, { workers = 3, settings, policies, ask = web, setup }) => {
    cluster = await createMemoryCluster({ workers, ...(settings && { settings }), ...(policies && { policies }) });
    await setup();
    await later(200);
    const cause = cluster.reconciler.control.why(ask);
    const text = JSON.stringify(cause, null, 1);
    expect(mainCodes(cause), text).toContain(code);
    expect(
      steps(cause).filter(({ message }) => /^$|^unknown$|unknown (cause|reason)/i.test(message)),
      text,
    ).toEqual([]);
    expect(
      steps(cause).every((step) => step.because.length > 0 || step.code || step.subject.endsWith('more')),
      text,
    ).toBe(true);
  });

  it('says of what is well that it is', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('web'));
    await settled('web');
    const [name = ''] = instancesOf('web')[0]?.split(' ') ?? [];
    for (const subject of ['shop', web, `${web}.instance.0`, `node/${name}`])
      expect(cluster.reconciler.control.why(subject).because).toEqual([]);
    expect(() => cluster.reconciler.control.why('shop.wed')).toThrow(/did you mean/);
    expect(() => cluster.reconciler.control.why('nothing-like-it')).toThrow(/NOT_FOUND|no application/);
  });

  it('is asked about at least 50 situations and 25 causes', () => {
    expect(situations.length).toBeGreaterThanOrEqual(50);
    expect(new Set(situations.map(([code]) => code)).size).toBeGreaterThanOrEqual(25);
  });
});
