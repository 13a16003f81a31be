/** Random events of a cluster's life, for tests that ask whether something holds whatever happens. */
import fc from 'fast-check';
import type { Deviation, Override } from '../../reconciler/core/deviations.ts';
import type { Policy } from '../../reconciler/core/model.ts';
import { foldPlans } from '../../reconciler/core/plan.ts';
import { apply } from '../../reconciler/core/world.ts';
import type { CopyReport } from '../../schemas/messages.ts';
import { parseInstanceName } from '../../schemas/names.ts';
import type { CopyStatus } from '../../schemas/status.ts';
import { aNodeRecord, aRun, aService, at, type TestCluster, wanted } from './builders.ts';

const names = ['a', 'b', 'c', 'd'].map((service) => `shop.default.${service}.default`);

/** What happens to which node; `n` decides everything else. */
export interface Step {
  readonly kind: (typeof nodeKinds)[number] | (typeof wishKinds)[number] | 'plan';
  readonly node: number;
  readonly n: number;
}

const nodeKinds = ['join', 'beat', 'cordon', 'duplicate', 'list', 'forget', 'obey', 'fall', 'drain'] as const;
const wishKinds = ['want', 'unwant', 'deviate'] as const;

/** Events of nodes and of what is wanted of them, and plans that are carried out. */
export function plannedLife(nodes: number): fc.Arbitrary<Step> {
  const kinds = ['join', 'beat', 'cordon', 'duplicate', 'list', 'forget', 'obey', 'want', 'want', 'plan', 'plan'];
  return stepOf(kinds as Step['kind'][], nodes);
}

/** Events without plans, and more of those that are heard of everywhere. */
export function busyLife(nodes: number): fc.Arbitrary<Step> {
  const often = ['join', 'beat', 'obey', 'obey', 'obey', 'want', 'want'] as const;
  return stepOf([...nodeKinds, ...wishKinds, ...often, ...often], nodes);
}

function stepOf(kinds: readonly Step['kind'][], nodes: number): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    node: fc.integer({ min: 1, max: nodes }),
    n: fc.nat(1_000),
  });
}

/** What node `node` says of itself. */
function info(node: number, n: number) {
  const zones = [{}, { zone: 'a' }, { zone: 'b' }, { zone: 'c', disk: 'ssd' }];
  return {
    labels: zones[n % 4] ?? {},
    capacity: { cpu: 1 + (n % 3), memory: 300 + 100 * (n % 5), ...(n % 2 ? { storage: 500 } : {}) },
    arch: n % 7 === 0 ? 'arm64' : 'x64',
    ip: `10.0.0.${n % 11 === 0 ? 99 : node}`,
    ...(n % 13 === 0 ? { level: 'tainted' as const } : {}),
  };
}

function desire(made: TestCluster, n: number): void {
  const name = names[n % 4] ?? '';
  const rules = [
    {},
    { spread: [{ label: 'zone', required: n % 2 === 0 }] },
    { apart: [{ services: [name, names[(n + 1) % 4] ?? ''], ...(n % 3 ? {} : { label: 'zone' }) }] },
    { labels: [{ label: 'disk', op: 'exists' as const, values: [] }] },
    { arch: ['amd64'] },
  ];
  const ports = n % 5 === 0 ? { ports: [{ host: 80 + (n % 2), container: 80, protocol: 'tcp' as const }] } : {};
  const run = aRun(`app:${n % 3}`, { memory: 50 * (n % 4), vcpus: (n % 3) / 4, ...ports });
  const needs = { memory: 0, vcpus: 0, vgpus: 0, storage: n % 6 ? 0 : 200, bandwidth_in: 0, bandwidth_out: 0 };
  const replicas = n % 17 === 0 ? ('every' as const) : n % 7;
  const awaited = n % 19 === 0 ? { depends_on: [names[(n + 2) % 4] ?? ''] } : {};
  const update = {
    order: (['start_first', 'stop_first', 'start_first', 'recreate'] as const)[(n >> 3) % 4] ?? 'start_first',
  };
  made.want(
    wanted(aService({ name, run, replicas, needs, update, ...awaited, placement: rules[n % rules.length] ?? {} })),
  );
}

/** A move, another number, a stop, or the end of all that. */
function deviate({ world }: TestCluster, node: number, n: number): void {
  const service = names[n % 4] ?? '';
  const base = { id: 'o', service, actor: 'ann', since: at(0).wall, base: '' };
  const changes: readonly Override['change'][] = [
    { kind: 'move', slot: n % 3, seat: { to: `node${node}`, command: 'move' } },
    { kind: 'scale', slots: [0, 1, 5].slice(0, n % 3), counter: 6 },
    { kind: 'stop' },
  ];
  const change = changes[n % 5];
  const deviation: Deviation = { overrides: change ? [{ ...base, change }] : [], renew: {} };
  apply(world, { kind: 'deviation', service, deviation });
}

/** The source moves on to a commit without the service. */
function unwant({ world }: TestCluster, n: number): void {
  apply(world, { kind: 'desired', service: names[n % 4] ?? '' });
  apply(world, { kind: 'head', source: 'main', commit: `c${2 + n}` });
  if (n % 3) apply(world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
}

/** The node reports all that it was told to have; what is as it was before is that since then. */
function obey(made: TestCluster, node: number, ms: number, status: CopyStatus): void {
  const statusOf = { run: status, prepared: 'prepared', stopped: 'stopped' } as const;
  const jobs = made.world.nodes.get(`node${node}`)?.part.jobs ?? [];
  const copies = jobs.map(({ instance, copy, digest, want }): CopyReport => {
    const service = parseInstanceName(instance)?.service ?? '';
    const known = made.world.copies.get(service)?.get(`${instance}/${copy}`);
    const isSame = known?.report?.status === statusOf[want];
    const age = isSame ? at(ms).mono - (known.since ?? at(ms).mono) : 0;
    return { instance, copy, digest, want, age, status: statusOf[want] };
  });
  made.report(node, ms, copies);
}

/** Carries one event out, `ms` after the start. */
export function take(made: TestCluster, { kind, node, n }: Step, ms: number, policy: Policy): void {
  const { world } = made;
  const id = `node${node}`;
  const known = world.nodes.get(id);
  if (kind === 'join') made.join(node, ms, info(node, n));
  else if (kind === 'want') desire(made, n);
  else if (kind === 'unwant') unwant(made, n);
  else if (kind === 'deviate') deviate(made, node, n);
  else if (kind === 'plan') foldPlans(world, policy, at(ms));
  else if (kind === 'list') {
    const listing = { name: n % 3 ? `pi${node}` : 'gate', ip: `10.0.0.${node}`, labels: { zone: 'b' } };
    apply(world, { kind: 'listings', listings: n % 4 ? [listing] : [], removed: [] });
  } else if (!known) return;
  else if (kind === 'beat') made.beat(ms, node);
  else if (kind === 'obey') obey(made, node, ms, n % 5 ? 'running' : 'failed');
  else if (kind === 'forget') apply(world, { kind: 'node_forgotten', node: id });
  else if (kind === 'duplicate') apply(world, { kind: 'duplicate', node: id, ...(n % 2 ? { duplicate: {} } : {}) });
  else if (kind === 'fall') {
    const message = { v: 1 as const, online: false, boot: 'b', session: `s${node}`, reason: 'connection lost' };
    apply(world, { kind: 'online', node: id, message, retained: false, at: at(ms).mono });
  } else {
    const cordon = kind === 'drain' ? { cause: 'by hand', drain: { stays: {} } } : { cause: 'by hand' };
    apply(world, { kind: 'node', record: aNodeRecord(node, n % 2 ? { cordon } : {}) });
  }
}
