/** A cluster of many unlike nodes, and services that ask for all kinds of things. */
import type { World } from '../../../reconciler/core/model.ts';
import { apply, createWorld } from '../../../reconciler/core/world.ts';
import { emptyPart, hashPart } from '../../../schemas/assignment.ts';
import type { ServiceSpec } from '../../../schemas/spec.ts';
import { aNodeRecord, aRun, aService, at, information, wanted } from '../../support/builders.ts';

export interface LargeWorld {
  readonly world: World;
  want(spec: ServiceSpec): void;
  /** Every node beats and reports all it has as running, since long ago. */
  settle(ms: number): void;
  /** Every node beats, but for one. */
  beat(ms: number, but: number): void;
}

const zones = 20;
/** Instances of each service. */
export const perService = 20;

/** Service n: some with labels, some spread, some apart, all with needs. */
export function specOf(n: number): ServiceSpec {
  const name = `app${n % 97}.default.s${n}.default`;
  const kinds = [
    {},
    { labels: [{ label: 'zone', op: 'not_in' as const, values: ['z0', 'z1'] }] },
    { spread: [{ label: 'zone', required: false }] },
    { apart: [{ services: [name] }] },
  ];
  const run = aRun(`app:${n % 50}`, { memory: 8 + (n % 8), vcpus: 0.01 });
  return aService({ name, run, replicas: perService, placement: kinds[n % kinds.length] ?? {} });
}

export function aLargeWorld(count: number): LargeWorld {
  const world = createWorld({ cluster: 'bench', fence: { epoch: 1, gen: 0, by: 'me' } });
  apply(world, { kind: 'recovered' });
  let seq = 0;
  const beat = (n: number, ms: number): void => {
    seq += 1;
    const labels = { zone: `z${n % zones}`, host: `h${n}` };
    const capacity = { cpu: 4 + (n % 3), memory: 1_000 * (1 + (n % 4)) };
    const message = information(n, seq, { labels, capacity, ip: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` });
    apply(world, { kind: 'information', node: `node${n}`, message, retained: false, at: at(ms).mono });
  };
  const report = (n: number, ms: number): void => {
    seq += 1;
    const { fence, ...part } = world.nodes.get(`node${n}`)?.part ?? emptyPart;
    const head = { v: 1 as const, session: `s${n}`, seq, part: 0, parts: 1, ...fence, hash: hashPart(part) };
    const copies = part.jobs.map(({ instance, copy, digest, want }) => {
      return { instance, copy, digest, want, age: 15_000, status: 'running' };
    });
    const event = { node: `node${n}`, message: { ...head, copies }, retained: false, at: at(ms).mono };
    apply(world, { kind: 'instances', ...event });
  };
  const everyNode = (act: (n: number) => void): void => {
    for (let n = 1; n <= count; n += 1) act(n);
  };
  everyNode((n) => {
    apply(world, { kind: 'node', record: aNodeRecord(n) });
    beat(n, 0);
    apply(world, { kind: 'ledger', node: `node${n}`, part: emptyPart });
    report(n, 0);
  });
  return {
    world,
    want(spec) {
      const desired = wanted(spec);
      apply(world, { kind: 'desired', service: desired.spec.name, desired });
    },
    settle(ms) {
      everyNode((n) => {
        beat(n, ms);
        report(n, ms);
      });
    },
    beat(ms, but) {
      everyNode((n) => {
        if (n !== but) beat(n, ms);
      });
    },
  };
}
