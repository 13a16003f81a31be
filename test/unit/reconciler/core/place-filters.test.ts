import { describe, expect, it } from 'vitest';
import type { PlaceRequest } from '../../../../reconciler/core/candidates.ts';
import type { Policy } from '../../../../reconciler/core/model.ts';
import { createPlacer, type Placed, type Placer } from '../../../../reconciler/core/place.ts';
import { planService } from '../../../../reconciler/core/plan-service.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { digestOf } from '../../../../schemas/digest.ts';
import type { Placement, RunSpec } from '../../../../schemas/spec.ts';
import { aCluster, aPolicy, aRun, aService, at, type TestCluster, wanted } from '../../../support/builders.ts';

const web = 'shop.default.web.default';
const db = 'shop.default.db.default';

type Wish = Partial<Omit<PlaceRequest, 'run' | 'placement'>> & {
  readonly run?: Partial<RunSpec>;
  readonly placement?: Partial<Placement>;
};

function request({ run = {}, placement = {}, ...rest }: Wish = {}, slot = 0): PlaceRequest {
  const whole = aRun('app:1', run);
  const where = { clusters: [], nodes: [], labels: [], ...placement };
  return { instance: `${web}.instance.${slot}`, run: whole, digest: digestOf(whole), placement: where, ...rest };
}

function placerOf(cluster: TestCluster, placement: Partial<Placement> = {}, policy: Policy = aPolicy()): Placer {
  cluster.want(wanted(aService({ name: web, placement })));
  return createPlacer(cluster.world, web, policy, at(0));
}

function place(cluster: TestCluster, wish: Wish = {}, policy?: Policy): Placed {
  return placerOf(cluster, wish.placement, policy).place(request(wish));
}

/** Where it went, or why it went nowhere. */
function text(placed: Placed): string {
  return placed.kind === 'refused' ? `${placed.hold.code}: ${placed.hold.message}` : placed.node;
}

function cluster(...infos: Parameters<TestCluster['join']>[2][]): TestCluster {
  const made = aCluster();
  for (const [index, info] of infos.entries()) made.join(index + 1, 0, info);
  return made;
}

/** Plans the service and lets all of it happen. */
function settle(made: TestCluster, name: string, ms = 0): void {
  for (const action of planService(made.world, name, aPolicy(), at(ms)).actions) {
    apply(made.world, { kind: 'promised', action, at: at(ms).mono });
  }
  for (const n of [1, 2, 3, 4]) if (made.world.nodes.has(`node${n}`)) made.obey(n, ms);
}

const zone = (value: string) => ({ labels: { zone: value } });

describe('what a node states', () => {
  const roomy = { capacity: { cpu: 4, memory: 1000, storage: 500, bandwidth_in: 100 } };
  const needs = { storage: 300, bandwidth_in: 0, bandwidth_out: 0 };

  it('of disk and bandwidth is reserved, and what it does not state is not counted, and said', () => {
    const placer = placerOf(cluster(roomy));
    expect(placer.place(request({ needs }, 0))).toMatchObject({
      node: 'node1',
      beside: { reserves: { storage: 300 } },
    });
    expect(text(placer.place(request({ needs }, 1)))).toBe(
      'NO_CAPACITY: needs 300 MB of disk, largest free 200 MB of disk on pi1',
    );
    const silent = { ...needs, storage: 0, bandwidth_out: 7 };
    expect(placer.place(request({ needs: silent }, 2))).toMatchObject({
      why: 'on pi1, of the nodes with the fewest instances the emptiest; bandwidth_out not counted: pi1 states none',
    });
    const narrow = { ...needs, storage: 0, bandwidth_in: 101 };
    expect(text(placer.place(request({ needs: narrow }, 3)))).toMatch(
      /^NO_CAPACITY: needs 101 kbit\/s in, largest free 100/,
    );
  });

  it('stays reserved while the copy is promised', () => {
    const made = cluster(roomy);
    made.want(wanted(aService({ name: db, needs: { memory: 0, vcpus: 0, vgpus: 0, ...needs } })));
    settle(made, db);
    expect(made.world.reserved.get('node1')).toMatchObject({ storage: 300 });
    expect(text(place(made, { needs }))).toMatch(/^NO_CAPACITY: needs 300 MB of disk, largest free 200/);
  });

  it('may come from nodes.yaml', () => {
    const made = cluster({});
    const capacity = { storage: 100 };
    apply(made.world, { kind: 'listings', listings: [{ name: 'pi1', labels: {}, capacity }], removed: [] });
    expect(text(place(made, { needs }))).toMatch(/^NO_CAPACITY: needs 300 MB of disk, largest free 100/);
  });

  it('of its architecture is compared in the words of engines, before anything is pulled', () => {
    const made = cluster({ arch: 'x64' }, { arch: 'arm64' });
    expect(text(place(made, { placement: { arch: ['arm64'] } }))).toBe('node2');
    expect(text(place(made, { placement: { arch: ['amd64'] } }))).toBe('node1');
    expect(text(place(made, { placement: { arch: ['arm'] } }))).toBe(
      'NO_ARCHITECTURE: 2 nodes with amd64 or arm64, and it is for arm',
    );
  });

  it('of its pressure keeps new copies away, and leaves those that are there', () => {
    const made = cluster({ level: 'restricted' }, {});
    made.want(wanted(aService({ name: web, replicas: 2 })));
    settle(made, web);
    made.join(2, 1_000, { level: 'tainted' });
    made.obey(1, 1_000);
    made.obey(2, 1_000);
    expect(planService(made.world, web, aPolicy(), at(20_000)).actions).toEqual([]);
    expect(text(place(made, { run: { memory: 2000 } }))).toBe(
      'NO_CAPACITY: needs 2000 MB, largest free 1000 MB on pi1; 1 node tainted (pi2)',
    );
    const only = new Set(['node2']);
    expect(text(place(made, { only }))).toBe('NODES_TAINTED: 1 node tainted (pi2)');
  });
});

describe('an assignment', () => {
  it('takes no more than 128 KiB', () => {
    const made = cluster({ capacity: { cpu: 4, memory: 1000 } });
    const big = (n: number) => `${n}`.padEnd(50_000, 'x');
    const answers = [0, 1, 2].map((n) => {
      const run = aRun(`app:${n}`, { environment: [`A=${big(n)}`] });
      made.want(wanted(aService({ name: `shop.default.s${n}.default`, run })));
      settle(made, `shop.default.s${n}.default`);
      return made.world.sizes.get('node1');
    });
    expect(answers[1]).toBeGreaterThan(100_000);
    expect(answers[2]).toBe(answers[1]);
    const [hold] = planService(made.world, 'shop.default.s2.default', aPolicy(), at(0)).holds;
    expect(hold).toMatchObject({ code: 'ASSIGNMENT_FULL' });
    expect(hold?.message).toBe('needs 50 KiB of an assignment, at most 128 KiB in all: 1 node too full (pi1)');
  });
});

describe('kept apart', () => {
  it('from itself: one per node', () => {
    const placement = { apart: [{ services: [web] }] };
    const placer = placerOf(cluster({}, {}), placement);
    const answers = [0, 1, 2].map((slot) => text(placer.place(request({ placement }, slot))));
    expect(answers.slice(0, 2)).toEqual(['node1', 'node2']);
    expect(answers[2]).toBe(`KEPT_APART: 2 nodes with ${web}.instance.0 or its like on it (pi1, pi2)`);
  });

  it('from others, by the value of a label, and in both directions', () => {
    const made = cluster(zone('a'), zone('a'), zone('b'));
    made.want(wanted(aService({ name: db, placement: { nodes: ['pi1'] } })));
    settle(made, db);
    const placement = { apart: [{ services: [db], label: 'zone' }] };
    expect(text(place(made, { placement }))).toBe('node3');
    expect(text(place(made, { placement, only: new Set(['node2']) }))).toBe(
      `KEPT_APART: 1 node with ${db}.instance.0 or its like near it by zone (pi2)`,
    );
    // The rule is written at db: web keeps away all the same.
    made.want(wanted(aService({ name: db, placement: { nodes: ['pi1'], apart: [{ services: [web] }] } })));
    expect(text(place(made, { only: new Set(['node1']) }))).toMatch(/^KEPT_APART: 1 node with shop.default.db/);
    made.want(wanted(aService({ name: db, placement: { nodes: ['pi1'] } })));
    expect(text(place(made, { only: new Set(['node1']) }))).toBe('node1');
  });

  it('does not stand in the way of its own replacement', () => {
    const made = cluster({});
    const placement = { apart: [{ services: [web] }] };
    made.want(wanted(aService({ name: web, placement })));
    settle(made, web);
    expect(text(place(made, { placement }))).toBe('node1');
  });

  it('does not count copies on lost nodes', () => {
    const made = cluster(zone('a'), zone('a'));
    const placement = { apart: [{ services: [web], label: 'zone' }] };
    made.want(wanted(aService({ name: web, placement, replicas: 2 })));
    settle(made, web);
    made.beat(60_000, 2);
    const placer = createPlacer(made.world, web, aPolicy(), at(60_000));
    expect(text(placer.place(request({ placement }, 1)))).toBe('node2');
  });
});

describe('spread', () => {
  const zones = () => cluster(zone('a'), zone('a'), zone('b'), {});

  it('prefers the values with the fewest instances, and nodes that have one', () => {
    const placement = { spread: [{ label: 'zone', required: false }] };
    const placer = placerOf(zones(), placement);
    const answers = [0, 1, 2, 3].map((slot) => text(placer.place(request({ placement }, slot))));
    expect(answers).toEqual(['node1', 'node3', 'node2', 'node3']);
  });

  it('is a wish: where nothing else is free, it goes on', () => {
    const placement = { spread: [{ label: 'zone', required: false }] };
    const placer = placerOf(cluster(zone('a'), zone('b')), placement);
    const only = new Set(['node1']);
    expect([0, 1].map((slot) => text(placer.place(request({ placement, only }, slot))))).toEqual(['node1', 'node1']);
  });

  it('can be required', () => {
    const placement = { spread: [{ label: 'zone', required: true }] };
    const placer = placerOf(zones(), placement);
    expect(text(placer.place(request({ placement }, 0)))).toBe('node1');
    expect(text(placer.place(request({ placement, only: new Set(['node2', 'node4']) }, 1)))).toBe(
      'SPREAD_REQUIRED: 2 nodes not where the fewest instances are by zone (pi2, pi4)',
    );
    expect(text(placer.place(request({ placement }, 1)))).toBe('node3');
  });
});

describe('scores', () => {
  const info = { capacity: { cpu: 4, memory: 1000 } };

  function loaded(): TestCluster {
    const made = cluster(info, info, info);
    const run = aRun('app:1', { memory: 400 });
    made.want(wanted(aService({ name: db, run, placement: { nodes: ['pi2'] } })));
    settle(made, db);
    return made;
  }

  it('take the emptiest node, or the fullest that has room', () => {
    expect(text(place(loaded(), { run: { memory: 500 } }))).toBe('node1');
    expect(text(place(loaded(), { run: { memory: 500 } }, aPolicy({ placement: 'best_fit' })))).toBe('node2');
    expect(text(place(loaded(), { run: { memory: 700 } }, aPolicy({ placement: 'best_fit' })))).not.toBe('node2');
  });

  it('do not pile up what states no needs', () => {
    const made = cluster(info, info);
    for (const name of [web, db]) {
      made.want(wanted(aService({ name })));
      settle(made, name);
    }
    expect([...made.world.nodes.values()].map(({ part }) => part.jobs.length)).toEqual([1, 1]);
  });

  it('try nodes later where the service failed in the last ten minutes', () => {
    const made = cluster(info, info);
    made.want(wanted(aService({ name: web })));
    settle(made, web);
    made.obey(1, 1_000, 'failed');
    made.obey(1, 2_000, 'failed');
    expect(made.world.failures.get(web)?.get('node1')).toMatchObject({ times: 1 });
    for (const copy of made.world.copies.get(web)?.values() ?? []) {
      const { service, instance, node } = copy;
      const action = { kind: 'drop' as const, service, instance, node, copy: copy.copy, why: '' };
      apply(made.world, { kind: 'promised', action });
    }
    made.report(1, 3_000, []);
    made.beat(3_000);
    const placeAt = (ms: number): string => {
      made.beat(ms);
      return text(createPlacer(made.world, web, aPolicy(), at(ms)).place(request()));
    };
    expect(placeAt(3_000)).toBe('node2');
    expect(placeAt(700_000)).toBe('node1');
  });
});

describe('variables of the environment', () => {
  it('need a node with the label, and its value goes into the job', () => {
    const made = cluster({}, { labels: { shop: '0042' } });
    const run = { environment: [`SHOP=\${node.label.shop}`] };
    expect(place(made, { run })).toMatchObject({
      node: 'node2',
      beside: { variables: { 'node.label.shop': '0042' } },
    });
    expect(text(place(made, { run, only: new Set(['node1']) }))).toBe(
      'LABEL_MISMATCH: 1 node without the label shop that its environment asks for',
    );
  });
});

describe('a node that spoke', () => {
  it('and did not report yet is told from one that is silent', () => {
    const made = cluster({}, {});
    const online = { v: 1 as const, online: true, boot: 'b', session: 'anew' };
    apply(made.world, { kind: 'online', node: 'node1', message: online, retained: false, at: at(60_000).mono });
    const placer = createPlacer(made.world, web, aPolicy(), at(60_001));
    expect(text(placer.place(request()))).toBe(
      'NODES_AWAY: 1 node silent (pi2); 1 node that spoke and did not report yet (pi1): in a moment',
    );
  });
});
