/** A world made by hand, for tests of what people are shown: nodes pi1 to pi3, one service, copies as a test says. */

import type { ServicePlan } from '../../reconciler/core/action.ts';
import type { Copy, Desired, Node, Rollout, World } from '../../reconciler/core/model.ts';
import { serviceView, type ViewInput } from '../../reconciler/core/views.ts';
import { createWorld } from '../../reconciler/core/world.ts';
import { emptyPart } from '../../schemas/assignment.ts';
import type { CopyReport, Job } from '../../schemas/messages.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { RunSpec, ServiceSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { ServiceView } from '../../schemas/views.ts';
import { aNodeRecord, aPolicy, aService, at, information } from './builders.ts';

/** The service of these tests, and two digests of it: the wanted one is `v2`. */
export const web = 'shop.prod.web.default';
export const v1 = `1:${'1'.repeat(64)}`;
export const v2 = `1:${'2'.repeat(64)}`;

/** The moment of the test. */
export const now = at(1_000_000);
const { mono } = now;

/** A moment `ms` ago. */
export const ago = (ms: number): Mono => (mono - ms) as Mono;

export interface CopyGiven {
  /** Default `3.<slot + 1>`. */
  readonly id?: string;
  /** Default: slot 0 on node 1, slot 1 on node 2, slot 2 on node 3. */
  readonly node?: number;
  readonly digest?: string;
  readonly want?: Job['want'];
  /** `none`: promised and not reported. */
  readonly status?: string;
  /** ms in the status. */
  readonly age?: number;
  readonly report?: Partial<CopyReport>;
  /** Reported, and not promised. */
  readonly unpromised?: boolean;
}

export interface ViewWorld {
  readonly world: World;
  readonly plans: Map<string, ServicePlan>;
  input(given?: Partial<ViewInput>): ViewInput;
  /** The view of the service, which must be there. */
  service(): ServiceView;
  /** Node n as it should be from now on: heard one second ago, adopted. */
  node(n: number, given?: Partial<Node>): void;
  /** Node n was last heard `ms` ago. */
  silence(n: number, ms: number): void;
  /** The service wants these slots, from `shop.yaml`, line 7. */
  want(
    slots: readonly number[],
    given?: { readonly run?: Partial<RunSpec>; readonly spec?: Partial<ServiceSpec> },
  ): void;
  copy(slot: number, given?: CopyGiven): void;
  /** What the last plan of the service said. */
  plan(holds: readonly Hold[], rollout?: Partial<Rollout>): void;
}

/** After recovery, with three nodes and nothing on them. */
export function createViewWorld(): ViewWorld {
  const world = createWorld({ cluster: 'test', fence: { epoch: 3, gen: 0, by: 'me' } });
  world.recovering = false;
  const plans = new Map<string, ServicePlan>();
  const input = (given: Partial<ViewInput> = {}): ViewInput => ({
    view: world,
    plans,
    policy: aPolicy(),
    now,
    records: { nodes: {} },
    ...given,
  });
  const node = (n: number, given: Partial<Node> = {}): void => {
    const record = aNodeRecord(n);
    const base = {
      record,
      aliases: [],
      heard: ago(1_000),
      information: information(n, 1),
      part: emptyPart,
      adopted: true,
    };
    world.nodes.set(record.id, { ...base, ...given });
    world.names.set(record.name, record.id);
  };
  for (const n of [1, 2, 3]) node(n);
  return {
    world,
    plans,
    input,
    node,
    service() {
      const view = serviceView(input(), web);
      if (!view) throw new Error(`there is no view of ${web}`);
      return view;
    },
    silence(n, ms) {
      const known = world.nodes.get(`node${n}`);
      if (known) world.nodes.set(`node${n}`, { ...known, heard: ago(ms) });
    },
    want(slots, { run = {}, spec = {} } = {}) {
      const asked = aService({
        name: web,
        replicas: slots.length,
        run: { virtualization: 'container', code: 'app:2', ...run },
      });
      const desired: Desired = {
        spec: { ...asked, digest: v2, ...spec },
        source: { name: 'main', commit: 'c0ffee' },
        origin: { file: 'shop.yaml', line: 7 },
        slots,
      };
      world.desired.set(web, desired);
    },
    copy(slot, given = {}) {
      const made = makeCopy(slot, given);
      const copies = world.copies.get(web) ?? new Map<string, Copy>();
      world.copies.set(web, copies.set(`${made.instance}/${made.copy}`, made));
    },
    plan(holds, rollout) {
      const whole: Rollout = { digest: v2, phase: 'progressing', started: now.wall, ...rollout };
      plans.set(web, { actions: [], holds, settled: 0, ...(rollout ? { rollout: whole } : {}) });
    },
  };
}

function makeCopy(slot: number, given: CopyGiven): Copy {
  const {
    id = `3.${slot + 1}`,
    node = (slot % 3) + 1,
    digest = v2,
    status = 'running',
    age = 60_000,
    want = 'run',
  } = given;
  const instance = `${web}.instance.${slot}`;
  const source = { name: 'main', commit: 'c0ffee' };
  const job: Job = { instance, copy: id, want, digest, runtime: 'docker', source };
  const report: CopyReport = { instance, copy: id, digest, status, want, age, ...given.report };
  return {
    ...{ service: web, slot, instance, copy: id, node: `node${node}` },
    ...(given.unpromised ? {} : { job }),
    ...(status === 'none' ? {} : { report, since: ago(age) }),
  };
}
