/** Small values for tests of the reconciler's decisions: say what matters, get sensible rest. */

import type { Desired, NodeRecord, Policy, World } from '../../reconciler/core/model.ts';
import { apply, createWorld } from '../../reconciler/core/world.ts';
import { emptyPart, hashPart } from '../../schemas/assignment.ts';
import { digestOf } from '../../schemas/digest.ts';
import type { CopyReport, InformationMessage } from '../../schemas/messages.ts';
import type { Mono, Now, Wall } from '../../schemas/ports.ts';
import type { Placement, RunSpec, ServiceSpec, UpdatePolicy } from '../../schemas/spec.ts';
import type { CopyStatus } from '../../schemas/status.ts';

/** Both clocks at `ms` after the start of the test's time. */
export function at(ms: number): Now {
  return { mono: (1_000_000 + ms) as Mono, wall: (1_700_000_000_000 + ms) as Wall };
}

/** The cluster's policy with the defaults of `lan`. */
export function aPolicy(changes: Partial<Policy> = {}): Policy {
  return {
    cpuOvercommit: 1,
    placement: 'spread',
    lostAfter: { edge: 90_000, lan: 15_000, fast: 2_000 },
    nodeClass: 'lan',
    pools: {},
    undeclared: 'use',
    guard: { count: 2, share: 0.3 },
    massLoss: 0.5,
    graceUntil: at(0).mono,
    ...changes,
  };
}

/** A run spec; `code` is the way to make another digest. */
export function aRun(code = 'app:1', changes: Partial<RunSpec> = {}): RunSpec {
  return { virtualization: 'container', code, ...changes };
}

export interface ServiceOptions extends Partial<Omit<ServiceSpec, 'update' | 'placement'>> {
  readonly update?: Partial<UpdatePolicy>;
  readonly placement?: Partial<Placement>;
}

/** A service spec; the digest follows from `run`. */
export function aService(options: ServiceOptions = {}): ServiceSpec {
  const run = options.run ?? aRun();
  const none = { memory: 0, vcpus: 0, vgpus: 0, storage: 0, bandwidth_in: 0, bandwidth_out: 0 };
  return {
    name: 'shop.default.web.default',
    replicas: 1,
    priority: 0,
    ...options,
    run,
    digest: digestOf(run),
    needs: { ...none, memory: run.memory ?? 0, vcpus: run.vcpus ?? 0, ...options.needs },
    placement: { clusters: [], nodes: [], labels: [], ...options.placement },
    update: {
      order: 'start_first',
      settle: 10_000,
      timeout: 300_000,
      max_unavailable: 1,
      on_failure: 'rollback',
      ...options.update,
    },
  };
}

/** Slots 0 to replicas - 1, from the git source `main` at commit `c1`. */
export function wanted(spec: ServiceSpec, changes: Partial<Desired> = {}): Desired {
  const slots = spec.replicas === 'every' ? [] : Array.from({ length: spec.replicas }, (_, slot) => slot);
  return { spec, source: { name: 'main', commit: 'c1' }, slots, ...changes };
}

/** Record of the node `pi<n>` with ordinal n and id `node<n>`. */
export function aNodeRecord(n: number, changes: Partial<NodeRecord> = {}): NodeRecord {
  return { id: `node${n}`, name: `pi${n}`, ordinal: n, serial: 1, joined: at(0).wall, ...changes };
}

/** A beat of node n: 4 cores and 1000 MB, docker and process. */
export function information(n: number, seq: number, changes: Partial<InformationMessage> = {}): InformationMessage {
  return {
    v: 1,
    cpu: 5,
    memory: 20,
    capacity: { cpu: 4, memory: 1000 },
    arch: 'x64',
    runtimes: [
      { name: 'docker', version: '20' },
      { name: 'process', version: '1' },
    ],
    fields: knownFields,
    labels: {},
    ip: `10.0.0.${n}`,
    version: '0.1.0',
    beat: 5000,
    session: `s${n}`,
    seq,
    epoch: 0,
    gen: 0,
    by: '',
    ...changes,
  };
}

const knownFields = [
  ...['virtualization', 'code', 'cmd', 'environment', 'ports', 'memory', 'vcpus', 'limits', 'healthcheck'],
  ...['restart', 'one_shot', 'stop_grace', 'vgpus', 'files', 'host', 'privileged', 'volumes', 'away', 'content'],
];

/** A cluster in memory: a world, and nodes that beat and report what a test says. */
export interface TestCluster {
  readonly world: World;
  /** Node n joins, is adopted empty, and beats. */
  join(n: number, ms: number, changes?: Partial<InformationMessage>): void;
  /** Nodes beat; without names all that joined. */
  beat(ms: number, ...nodes: number[]): void;
  /** Node n reports these copies (and no others). */
  report(n: number, ms: number, copies: readonly CopyReport[]): void;
  /** Node n reports everything that it was told, with one status. */
  obey(n: number, ms: number, status?: CopyStatus, age?: number): void;
  want(desired: Desired): void;
}

/** An empty cluster after recovery. */
export function aCluster(): TestCluster {
  const world = createWorld({ cluster: 'test', fence: { epoch: 1, gen: 0, by: 'me' } });
  apply(world, { kind: 'recovered' });
  const informations = new Map<number, InformationMessage>();
  let seq = 0;
  const next = (): number => {
    seq += 1;
    return seq;
  };
  const beat = (n: number, ms: number): void => {
    const message = { ...(informations.get(n) ?? information(n, 0)), seq: next() };
    apply(world, { kind: 'information', node: `node${n}`, message, retained: false, at: at(ms).mono });
  };
  const report = (n: number, ms: number, copies: readonly CopyReport[]): void => {
    const { fence, ...part } = world.nodes.get(`node${n}`)?.part ?? emptyPart;
    const message = { v: 1 as const, session: `s${n}`, seq: next(), part: 0, parts: 1, ...fence, hash: hashPart(part) };
    const event = { node: `node${n}`, message: { ...message, copies: [...copies] }, retained: false, at: at(ms).mono };
    apply(world, { kind: 'instances', ...event });
  };
  return {
    world,
    join(n, ms, changes = {}) {
      informations.set(n, information(n, 0, changes));
      apply(world, { kind: 'node', record: aNodeRecord(n) });
      beat(n, ms);
      apply(world, { kind: 'ledger', node: `node${n}`, part: emptyPart });
      report(n, ms, []);
    },
    beat(ms, ...nodes) {
      for (const n of nodes.length > 0 ? nodes : informations.keys()) beat(n, ms);
    },
    report,
    obey(n, ms, status = 'running', age = 0) {
      const jobs = world.nodes.get(`node${n}`)?.part.jobs ?? [];
      const statusOf = { run: status, prepared: 'prepared', stopped: 'stopped' } as const;
      report(
        n,
        ms,
        jobs.map(({ instance, copy, digest, want }) => ({ instance, copy, digest, want, age, status: statusOf[want] })),
      );
    },
    want(desired) {
      apply(world, { kind: 'desired', service: desired.spec.name, desired });
    },
  };
}
