import { describe, expect, it } from 'vitest';
import type { PlaceRequest } from '../../../../reconciler/core/candidates.ts';
import type { Listing, Policy } from '../../../../reconciler/core/model.ts';
import { createPlacer, type Placed } from '../../../../reconciler/core/place.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { digestOf } from '../../../../schemas/digest.ts';
import type { Placement, RunSpec } from '../../../../schemas/spec.ts';
import { aCluster, aNodeRecord, aPolicy, aRun, at, type TestCluster } from '../../../support/builders.ts';

const web = 'shop.default.web.default';

function request(run: Partial<RunSpec> = {}, placement: Partial<Placement> = {}, slot = 0): PlaceRequest {
  const wanted = aRun('app:1', run);
  return {
    instance: `${web}.instance.${slot}`,
    run: wanted,
    digest: digestOf(wanted),
    placement: { clusters: [], nodes: [], labels: [], ...placement },
  };
}

function place(cluster: TestCluster, wish: PlaceRequest, policy: Policy = aPolicy(), ms = 0): Placed {
  return createPlacer(cluster.world, web, policy, at(ms)).place(wish);
}

function refusal(placed: Placed): string {
  return placed.kind === 'refused' ? `${placed.hold.code}: ${placed.hold.message}` : `placed on ${placed.node}`;
}

function cluster(...infos: Parameters<TestCluster['join']>[2][]): TestCluster {
  const made = aCluster();
  for (const [index, info] of infos.entries()) made.join(index + 1, 0, info);
  return made;
}

const listing = (name: string, rest: Partial<Listing> = {}): Listing => ({ name, labels: {}, ...rest });

describe('a refusal says why with numbers', () => {
  const two = (): TestCluster => cluster({ capacity: { cpu: 2, memory: 380 } }, { capacity: { cpu: 4, memory: 200 } });

  it.each<[string, () => Placed, string]>([
    ['no node', () => place(cluster(), request()), 'NO_NODE: the cluster has no node that could take it'],
    ['memory', () => place(two(), request({ memory: 512 })), 'NO_CAPACITY: needs 512 MB, largest free 380 MB on pi1'],
    ['vcpus', () => place(two(), request({ vcpus: 8 })), 'NO_CAPACITY: needs 8 vcpus, largest free 4 on pi2'],
    ['runtime', () => place(cluster({ runtimes: [] }), request()), 'NO_RUNTIME: 1 node without docker'],
    [
      'an old agent',
      () => place(cluster({ fields: ['virtualization', 'code'] }), request({ one_shot: true, cmd: ['x'] })),
      'AGENT_TOO_OLD: 1 node with an agent that does not know cmd, one_shot',
    ],
    [
      'a grant',
      () => place(two(), request({ host: { devices: ['/dev/zero'] } })),
      'HOST_NOT_GRANTED: 2 nodes without a grant of device /dev/zero (pi1, pi2); policy.yaml of pi1, below grants, ' +
        'would need: - { app: shop.default, service: web.default, devices: [/dev/zero] }',
    ],
    [
      'an image',
      () => place(cluster({ accepts: { registries: ['r.org'] } }, { accepts: { registries: [] } }), request()),
      'IMAGE_NOT_ALLOWED: 2 nodes that do not allow image app:1 (pi1, pi2); by policy.yaml of pi1: its registry ' +
        'docker.io is not one of r.org',
    ],
    ['a GPU', () => place(two(), request({ vgpus: 1 })), 'NO_CAPACITY: needs 1 vgpus, largest free 0 on pi1'],
    [
      'labels',
      () => place(two(), request({}, { labels: [{ label: 'gpu', op: 'exists', values: [] }] })),
      'LABEL_MISMATCH: 2 nodes without gpu',
    ],
    [
      'another cluster',
      () => place(two(), request({}, { clusters: ['north'] })),
      'OTHER_CLUSTER: it is for cluster north, and this is test',
    ],
    ['an unknown node', () => place(two(), request({}, { nodes: ['pi9'] })), 'DIRECT_NODE_UNKNOWN: nobody knows pi9'],
    [
      'a full disk',
      () => {
        const problems = [{ code: 'FILE_UNWRITABLE', message: 'ENOSPC' }];
        return place(cluster({ problems }, { problems }), request());
      },
      'NODES_UNWRITABLE: 2 nodes whose disk takes nothing new (pi1, pi2)',
    ],
    ['silence', () => place(two(), request(), aPolicy(), 20_000), 'NODES_AWAY: 2 nodes silent (pi1, pi2)'],
  ])('%s', (_name, placed, expected) => {
    expect(refusal(placed())).toBe(expected);
  });

  it('and is none where the node grants it, or has it', () => {
    const grants = [{ app: 'shop.default', privileged: true }];
    const made = cluster({}, { grants, capacity: { cpu: 1, memory: 1, gpu: 1 } });
    expect(place(made, request({ privileged: true, vgpus: 1 }))).toMatchObject({ node: 'node2' });
    const placer = createPlacer(made.world, web, aPolicy(), at(0));
    expect(placer.place(request({ vgpus: 1 }, {}, 0))).toMatchObject({ node: 'node2' });
    expect(refusal(placer.place(request({ vgpus: 1 }, {}, 1)))).toMatch(/^NO_CAPACITY: needs 1 vgpus, largest free 0/);
  });

  it('and names the last thing in the way first', () => {
    const made = two();
    apply(made.world, { kind: 'node', record: aNodeRecord(2, { cordon: { cause: 'by hand' } }) });
    expect(refusal(place(made, request({ memory: 512 })))).toBe(
      'NO_CAPACITY: needs 512 MB, largest free 380 MB on pi1; 1 node cordoned (pi2)',
    );
  });

  it('a node that is listed and was never seen is away, not unknown', () => {
    const made = two();
    apply(made.world, { kind: 'listings', listings: [listing('pi9')], removed: [] });
    expect(refusal(place(made, request({}, { nodes: ['pi9'] })))).toMatch(/^NODES_AWAY: pi9: in nodes.yaml/);
  });

  it('an alias that two nodes carry is ambiguous', () => {
    const made = cluster({ ip: '10.0.0.5' }, { ip: '10.0.0.5' });
    apply(made.world, { kind: 'listings', listings: [listing('gate', { ip: '10.0.0.5' })], removed: [] });
    expect(refusal(place(made, request({}, { nodes: ['gate'] })))).toBe(
      'DIRECT_NODE_AMBIGUOUS: gate may be any of pi1, pi2',
    );
  });
});

describe('nodes.yaml', () => {
  it('wins over what a node says: labels, capacity, cordon', () => {
    const made = cluster({ labels: { zone: 'a' } }, { labels: { zone: 'a' } });
    const small = listing('pi1', { labels: { zone: 'b' }, capacity: { memory: 50 } });
    apply(made.world, { kind: 'listings', listings: [small, listing('pi2', { cordon: true })], removed: [] });
    const inB = { labels: [{ label: 'zone', op: 'in' as const, values: ['b'] }] };
    expect(place(made, request({}, inB))).toMatchObject({ kind: 'placed', node: 'node1' });
    expect(refusal(place(made, request({ memory: 60 })))).toBe(
      'NO_CAPACITY: needs 60 MB, largest free 50 MB on pi1; 1 node cordoned (pi2)',
    );
  });

  it('keeps undeclared nodes out where the policy says so', () => {
    expect(refusal(place(cluster({}), request(), aPolicy({ undeclared: 'cordon' })))).toMatch(/^NODES_CORDONED/);
  });

  it('gives an alias that direct constraints accept', () => {
    const made = cluster({}, { ip: '10.0.0.77' });
    apply(made.world, { kind: 'listings', listings: [listing('attic', { ip: '10.0.0.77' })], removed: [] });
    expect(place(made, request({}, { nodes: ['attic'] }))).toMatchObject({ node: 'node2' });
  });
});

describe('room', () => {
  it('is used up by what was placed before, also in the same plan', () => {
    const made = cluster({ capacity: { cpu: 4, memory: 1000 } });
    const placer = createPlacer(made.world, web, aPolicy(), at(0));
    const answers = [0, 1, 2].map((slot) => placer.place(request({ memory: 400 }, {}, slot)).kind);
    expect(answers).toEqual(['placed', 'placed', 'refused']);
  });

  it('of vcpus counts as often as the policy says', () => {
    const made = cluster({ capacity: { cpu: 1, memory: 1000 } });
    expect(place(made, request({ vcpus: 4 })).kind).toBe('refused');
    expect(place(made, request({ vcpus: 4 }), aPolicy({ cpuOvercommit: 4 })).kind).toBe('placed');
  });

  it('a host port is taken on an address, whichever agent took it', () => {
    const ports = [{ host: 80, container: 80, protocol: 'tcp' as const }];
    const made = cluster({ ip: '10.0.0.1' }, { ip: '10.0.0.1' }, { ip: '10.0.0.3' });
    const placer = createPlacer(made.world, web, aPolicy(), at(0));
    const answers = [0, 1, 2].map((slot) => placer.place(request({ ports }, {}, slot)));
    expect(answers[0]).toMatchObject({ node: 'node1' });
    expect(answers[1]).toMatchObject({ node: 'node3' });
    expect(answers[2] && refusal(answers[2])).toBe(
      `PORT_CONFLICT: 3 nodes whose tcp/80 is published already (by ${web}.instance.0 on pi1)`,
    );
    const udp = [{ host: 80, container: 80, protocol: 'udp' as const }];
    expect(placer.place(request({ ports: udp }, {}, 3)).kind).toBe('placed');
  });
});

describe('the choice', () => {
  it('is the node with fewest instances of the service, then with most free memory, then by name', () => {
    const made = cluster(
      { capacity: { cpu: 4, memory: 1000 } },
      { capacity: { cpu: 4, memory: 4000 } },
      { capacity: { cpu: 4, memory: 4000 } },
    );
    const placer = createPlacer(made.world, web, aPolicy(), at(0));
    const nodes = [0, 1, 2, 3].map((slot) => {
      const placed = placer.place(request({ memory: 100 }, {}, slot));
      return placed.kind === 'placed' ? placed.node : 'none';
    });
    expect(nodes).toEqual(['node2', 'node3', 'node1', 'node2']);
  });

  it('prefers the node where the instance was, if it is admitted', () => {
    const made = cluster({}, {});
    expect(place(made, { ...request(), prefer: 'node2' })).toMatchObject({ node: 'node2' });
    apply(made.world, { kind: 'node', record: aNodeRecord(2, { cordon: { cause: 'x' } }) });
    expect(place(made, { ...request(), prefer: 'node2' })).toMatchObject({ node: 'node1' });
  });
});
