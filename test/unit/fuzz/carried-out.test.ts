/** Messages as far as they go: into an agent's ledger, and into the reconciler's world and plan. */
import { createInbox } from '../../../agent/inbox.ts';
import type { Ledger } from '../../../agent/ledger.ts';
import { planAll } from '../../../reconciler/core/plan.ts';
import { apply, cloneWorld } from '../../../reconciler/core/world.ts';
import { hashPart, isWhole, type Part } from '../../../schemas/assignment.ts';
import { digestOf } from '../../../schemas/digest.ts';
import {
  type Fence,
  InformationMessage,
  InstancesMessage,
  type Job,
  OnlineMessage,
} from '../../../schemas/messages.ts';
import { compareFence } from '../../../schemas/names.ts';
import { parseMessage } from '../../../schemas/parse.ts';
import { parseRunSpec, RunSpecSchema } from '../../../schemas/run-spec.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { topic } from '../../../schemas/topics.ts';
import { aCluster, aPolicy, aService, at, wanted } from '../../support/builders.ts';
import { campaign } from '../../support/fuzz/campaign.ts';
import { requireThat } from '../../support/fuzz/closed-type.ts';
import { fromSchema, someMood } from '../../support/fuzz/from-schema.ts';
import { onTheWire, wellFormed } from '../../support/fuzz/mutate.ts';
import type { Dice } from '../../support/fuzz/random.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const node = 'a'.repeat(16);

function somePart(dice: Dice, fence: Fence): Part {
  const documents: Record<string, RunSpec> = {};
  const jobs = Array.from({ length: dice.upTo(3) }, (_, slot): Job => {
    const run = wellFormed(fromSchema(RunSpecSchema, dice, { wildness: 0, richness: 0.3 })) as RunSpec;
    const digest = digestOf(run);
    documents[digest] = run;
    const want = dice.pick(['run', 'prepared', 'stopped'] as const);
    const instance = `shop.prod.web.prod.instance.${slot}`;
    return { instance, copy: `${fence.epoch}.${slot}`, want, digest, runtime: 'docker', source: { name: 'main' } };
  });
  return { fence, jobs, documents };
}

/** In memory; says when a pair would go back. */
function ledgerOf(start: Part): Ledger {
  let part = start;
  return {
    part: () => part,
    hash: () => hashPart(part),
    known: () => true,
    load: () => Promise.resolve(undefined),
    save(next) {
      requireThat(compareFence(next.fence, part.fence) > 0, 'the pair goes back');
      part = next;
      return Promise.resolve();
    },
  };
}

function inboxOf(ledger: Ledger) {
  const nothing = (): void => undefined;
  return createInbox({
    identity: { id: node, name: 'pi1', cluster: 'test' },
    ledger,
    clock: createVirtualClock(),
    verify: (_, message) => (message as { sig: unknown }).sig === 'good',
    trace: nothing,
    applied: nothing,
    reportBack: nothing,
    trouble: nothing,
  });
}

campaign({
  name: 'assignments and controls to an agent',
  share: 0.06,
  accepted: 0.1,
  async one(dice) {
    const start = somePart(dice, { epoch: dice.upTo(4), gen: dice.upTo(4), by: 'x' });
    const ledger = ledgerOf(start);
    const inbox = inboxOf(ledger);
    const next = somePart(dice, { epoch: start.fence.epoch, gen: start.fence.gen + dice.upTo(3), by: 'x' });
    const sig = dice.pick(['good', 'good', 'good', 'bad']);
    const head = { v: 1, cluster: 'test', node, part: 0, kid: 'k', sig, ...next.fence, hash: hashPart(next) };
    const [job] = next.jobs;
    const isControl = job !== undefined && dice.chance(0.3);
    const message = isControl
      ? {
          ...head,
          command: 'deploy',
          job: { ...job, id: 1, name: job.instance, image: 'x', technology: 'docker' },
          document: next.documents[job.digest],
          base: start.fence,
        }
      : { ...head, parts: 1, jobs: next.jobs, documents: next.documents };
    const payload = onTheWire(message, dice);
    inbox.take({ topic: topic(node, isControl ? 'controls' : 'assignment'), payload, retained: false });
    await inbox.idle();
    const now = ledger.part();
    if (now === start) return 'refused';
    requireThat(isWhole(now), 'taken in part');
    requireThat(payload.includes('"sig":"good"'), 'taken without a signature');
    for (const document of Object.values(now.documents))
      requireThat(!('disposition' in parseRunSpec(document)), 'a run spec that is none');
    return 'accepted';
  },
});

/** Three nodes that carry two services; made once, and copied for each case. */
const settled = (() => {
  const cluster = aCluster();
  for (const n of [1, 2, 3]) cluster.join(n, 0);
  for (const app of ['shop', 'tool'])
    cluster.want(wanted(aService({ name: `${app}.default.web.default`, replicas: 2 })));
  for (let ms = 1_000; ms < 30_000; ms += 1_000) {
    cluster.beat(ms);
    const { actions } = planAll(cluster.world, aPolicy(), at(ms));
    for (const action of actions) apply(cluster.world, { kind: 'promised', action });
    for (const n of [1, 2, 3]) cluster.obey(n, ms, 'running', 30_000);
  }
  return cluster.world;
})();
const carried = [...settled.copies.values()].flatMap((copies) => [...copies.values()]);
const told = { information: InformationMessage, instances: InstancesMessage, online: OnlineMessage };

/** A report that may speak of copies of others, and of those that nobody knows. */
function someReport(dice: Dice, kind: keyof typeof told): string {
  const good = fromSchema(told[kind], dice, someMood(dice)) as { copies?: object[] } | null;
  if (!good || !Array.isArray(good.copies)) return onTheWire(good, dice);
  const copies = good.copies.map((one) => {
    const { instance, copy } = dice.pick(carried);
    return dice.chance(0.6) ? { ...one, instance, copy } : one;
  });
  return onTheWire({ ...good, copies }, dice);
}

campaign({
  name: 'reports to the reconciler',
  share: 0.06,
  accepted: 0.1,
  one(dice) {
    const world = cloneWorld(settled);
    const now = at(30_500);
    const jobs = () => JSON.stringify(['node2', 'node3'].map((id) => world.nodes.get(id)?.part.jobs));
    const desired = () => JSON.stringify([...world.desired.entries()]);
    const before = [jobs(), desired()];
    let taken = 0;
    for (let times = 1 + dice.upTo(3); times > 0; times -= 1) {
      const kind = dice.pick(['information', 'instances', 'online'] as const);
      const parsed = parseMessage<never>(told[kind], someReport(dice, kind));
      if (!parsed.ok) continue;
      taken += 1;
      apply(world, { kind, node: 'node1', message: parsed.value, retained: dice.chance(0.3), at: now.mono });
    }
    requireThat(String(before) === String([jobs(), desired()]), 'a report changed what is wanted');
    for (const action of planAll(world, aPolicy(), now).actions) {
      const takes = action.kind === 'drop' || (action.kind === 'want' && action.want !== 'run');
      requireThat(!takes || action.node === 'node1', `a report of node1 makes ${action.kind} on ${action.node}`);
    }
    return taken > 0 ? 'accepted' : 'refused';
  },
});
