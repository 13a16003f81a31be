/**
 * The reconciler: owns the world, lets events in, lets plans out. All I/O comes through the ports of `ReconcilerDeps`, so the
 * same loop runs on a real machine and in memory on virtual time.
 */
import type { BusMessage } from '../schemas/ports.ts';
import { reconcilerFilters } from '../schemas/topics.ts';
import { type Accounts, createAccounts } from './accounts/accounts.ts';
import { createAdoption } from './adoption.ts';
import { calculateDeploy } from './calculate.ts';
import { gateAccounts, gateChanges } from './change-gate.ts';
import type { Context, ReconcilerDeps } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import { createCordons } from './cordons.ts';
import type { Caller } from './core/rights.ts';
import { wantedOf } from './core/wanted.ts';
import { apply, createWorld } from './core/world.ts';
import type { WorldEvent } from './core/world-event.ts';
import { createDirect } from './direct.ts';
import { createDispatcher } from './dispatch.ts';
import { createDuplicates } from './duplicates.ts';
import { createEndpoints } from './endpoints.ts';
import { createEnrolment } from './enrolment.ts';
import { createGrace } from './grace.ts';
import { createImageLoader } from './image-loader.ts';
import { createInspection } from './inspection.ts';
import { createJournal } from './journal.ts';
import { createLeases } from './leases.ts';
import { limitControl } from './limited-control.ts';
import { createLinkWatch } from './link-watch.ts';
import { createLogReader } from './log-reader.ts';
import { createLossMemory } from './loss-memory.ts';
import { createOakestraDesk, type OakestraDesk } from './oakestra.ts';
import { createObserver } from './observe.ts';
import { createOffice } from './office.ts';
import { createOverrides } from './overrides.ts';
import { createOwnership } from './ownership.ts';
import { createPlanner, type Planner } from './planner.ts';
import { createPulse } from './pulse.ts';
import { recall } from './recall.ts';
import { answeredOnceSaved, openRecords, saveAgain } from './records-keeper.ts';
import { createRegistries } from './registries.ts';
import { createReplacement } from './replacement.ts';
import { createRequests } from './requests.ts';
import { createResume } from './resume.ts';
import { createRetirements } from './retirements.ts';
import { createRevisions } from './revisions.ts';
import { createRotation } from './rotation.ts';
import { createSchedules } from './schedules.ts';
import { createSeating } from './seating.ts';
import { createSeedDesk } from './seed/desk.ts';
import { createOperatorDesk } from './seed/operator.ts';
import { createRegistration } from './seed/registration.ts';
import { createSessionOpener } from './session-opener.ts';
import { createStanding } from './standing.ts';
import { createSuspends } from './suspends.ts';
import { createSync } from './sync.ts';
import { createTagDesk } from './tags.ts';
import { createTally } from './tally.ts';
import { createVerbs } from './verbs.ts';
import { vitalsOf } from './vitals.ts';

export interface Reconciler {
  readonly control: ControlPlane;
  readonly accounts: Accounts;
  readonly oakestra: OakestraDesk;
  /** The control plane as somebody has it who has only some applications. */
  limit(caller: Caller): ControlPlane;
  /** Connects, listens, recovers, and then keeps the cluster as wanted. On a broker that is shared: once it is its turn. */
  start(): void;
  /** The broker process ended by itself and is started again: for the journal. */
  brokerRestarted(reason: string): void;
  /** The broker turned away a second agent that has the identity of a node. */
  contested(node: string, from: string): void;
  /** Somebody has a credential of this cluster for a node that may be in no record. */
  forgotten(node: string): void;
  /** Somebody heard that a source changed: it is looked at now. */
  wake(source: string): void;
  /** Stops deciding and disconnects. What runs goes on. */
  stop(): Promise<void>;
}

/** Loads records (raising the epoch) and wires the parts. FILE_DAMAGED, FILE_UNWRITABLE. */
export async function createReconciler(deps: ReconcilerDeps): Promise<Reconciler> {
  const { settings, clock } = deps;
  const keeper = await openRecords(deps.records);
  const by = Buffer.from(deps.random.bytes(8)).toString('hex');
  const journal = createJournal({
    clock,
    run: by,
    onEvent(event) {
      deps.log('info', event.kind, { subject: event.subject, message: event.message });
      tally.heard(event);
      deps.meter?.happened(event.kind);
    },
  });
  const world = createWorld({ cluster: settings.cluster, fence: { epoch: keeper.now.epoch, gen: 0, by } });
  const tally = createTally({ deps, world, keeper });
  const since = clock.now().mono;
  let connected = false;
  let planner: Planner | undefined;

  const grace = createGrace(clock, () => sync.policy());
  /** Who speaks has its identity, and is told apart from others that have the same one. */
  const signOfLife = (event: WorldEvent): void => {
    if (!('message' in event) || event.retained || (event.kind === 'online' && !event.message.online)) return;
    enrolment.heard(event.node);
    duplicates.heard(event.node, event.message.session, event.at);
  };
  const onEpoch = (epoch: number): void => {
    world.fence = { ...world.fence, epoch };
  };
  const link = createLinkWatch(deps);
  const office = createOffice({ deps: { ...deps, bus: link.bus }, keeper, journal, by, onEpoch });
  const context: Context = {
    deps: { ...deps, bus: office.bus },
    world,
    keeper,
    journal,
    plans: new Map(),
    policy: grace.policy,
    endpoints: createEndpoints(deps, () => world.fence),
    apply(event: WorldEvent) {
      apply(world, event);
      signOfLife(event);
      if (world.dirty.size > 0) planner?.wake();
    },
  };

  const seeds = createSeedDesk(context);
  const dispatcher = createDispatcher(context, seeds);
  const direct = createDirect(context, (services) => {
    overrides.forget(services);
    ownership.tidy();
    sync.reclaim();
  });
  const overrides = createOverrides(context);
  const suspends = createSuspends(context);
  const seating = createSeating(context, direct, overrides);
  const schedules = createSchedules(context, () => planner?.wake());
  const tags = createTagDesk(context);
  const verbs = createVerbs(context, { direct, overrides, schedules, tags });
  const retirements = createRetirements(context, overrides);
  const requests = createRequests(context, { direct, seating, verbs, overrides, retirements });
  const operators = createOperatorDesk(context, requests);
  const revisions = createRevisions(context);
  const sync = createSync(context, { direct, revisions, retirements });
  const adoption = createAdoption(context, dispatcher, {
    isRead: sync.ready,
    onAdopted: () => {
      sync.explain();
      operators.recovered();
      planner?.wake();
    },
  });
  const losses = createLossMemory(context, () => connected);
  const enrolment = createEnrolment(context, dispatcher);
  const rotation = createRotation(context, dispatcher, enrolment);
  const leases = createLeases(context);
  const standing = createStanding(context, { unknown: enrolment.forgotten, shown: rotation.shown });
  const replacement = createReplacement(context, enrolment, { direct, overrides });
  const listeners = { dispatcher, adoption, seeds, leases, replacement, unknown: enrolment.forgotten };
  const observer = createObserver(context, listeners);
  const duplicates = createDuplicates(context);
  const registration = createRegistration(context, enrolment.admission, seeds);
  const cordons = createCordons(context);
  planner = createPlanner(context, dispatcher, {
    before(service) {
      seating.look(service);
      tags.look(service);
    },
    replacing: tally.replacing,
    gaveUp(moves) {
      seating.giveUp(moves);
      verbs.giveUp(moves);
      cordons.stay(moves);
    },
  });

  const extendGrace = (): void => {
    grace.extend(connected);
    observer.refresh();
  };

  let stopped = false;
  const handlers = {
    connected: () => {
      connected = true;
      extendGrace();
      adoption.connected();
      if (world.recovering) return;
      for (const [id, node] of world.nodes) if (node.adopted) dispatcher.republish(id);
    },
    disconnected: (reason: string) => {
      connected = false;
      adoption.disconnected();
      seeds.disconnected();
      if (stopped) return;
      extendGrace();
      deps.log('warn', 'bus_disconnected', { reason });
    },
    message: (message: BusMessage) => {
      if (!operators.take(message)) observer.message(message);
    },
  };

  const pulse = createPulse(clock, {
    heldUp(ms) {
      deps.log('warn', 'loop_gap', { ms });
      extendGrace();
    },
    each() {
      if (keeper.trouble) saveAgain(context);
      overrides.tick();
      suspends.tick();
      if (office.taken()) sync.tick();
      if (office.taken()) retirements.tick();
      schedules.tick();
      leases.tick();
      tally.tick();
      if (office.taken()) rotation.tick();
    },
  });

  /** A node left: nobody waits for it. */
  const left = <T>(work: Promise<T>): Promise<T> =>
    work.finally(() => {
      seeds.forget();
      adoption.forgotten();
    });
  const ownership = createOwnership(context);
  const oakestra = createOakestraDesk(context, ownership);
  const resume = createResume(context);
  const { conditions, ...registries } = createRegistries(context);
  const inspection = createInspection(context, { sync, office, dispatcher, adoption }, [
    enrolment,
    rotation,
    { conditions },
  ]);
  const control: ControlPlane = gateChanges(office, {
    ...inspection,
    ...registries,
    deploy: (request) => requests.deploy(request),
    remove: requests.remove,
    approve: async (id, actor) => (await resume(id, actor)) ?? sync.approve(id, actor),
    sync: sync.now,
    history: revisions.list,
    rollback: sync.rollback,
    unpin: sync.unpin,
    plan: sync.plan,
    snapshot: sync.snapshot,
    createToken: enrolment.tokens.create,
    tokens: enrolment.tokens.list,
    revokeToken: enrolment.tokens.revoke,
    keys: rotation.views,
    rotateKeys: rotation.rotate,
    renewCredential: rotation.renewCredential,
    identity: enrolment.identity,
    join: enrolment.join,
    standing: standing.of,
    move: requests.move,
    replicate: requests.replicate,
    addInstance: (service, actor) => requests.add(service, undefined, actor),
    dropInstance: (instance, actor) => requests.drop(instance, actor, true),
    registered(service) {
      const desired = wantedOf(world, service);
      if (!desired) return undefined;
      const counter = keeper.now.direct[service]?.counter ?? Math.max(-1, ...desired.slots) + 1;
      return { spec: desired.spec, counter, ...(desired.spec.replicas !== 'every' && { slots: desired.slots }) };
    },
    calculate: (job) => calculateDeploy(context, job),
    register: registration.register,
    revoke: (node) => left(enrolment.revoke(node)),
    removeNode: (node, options) => left(enrolment.remove(node, options)),
    overrides: overrides.list,
    removeOverride: requests.removeOverride,
    scale: answeredOnceSaved(keeper, requests.scale),
    stop: answeredOnceSaved(keeper, requests.stop),
    start: answeredOnceSaved(keeper, requests.start),
    restart: answeredOnceSaved(keeper, requests.restart),
    cordon: answeredOnceSaved(keeper, cordons.cordon),
    drain: answeredOnceSaved(keeper, cordons.drain),
    uncordon: answeredOnceSaved(keeper, cordons.uncordon),
    undelete: answeredOnceSaved(keeper, requests.undelete),
    suspend: suspends.suspend,
    resume: suspends.resume,
    logs: createLogReader(context),
    exec: createSessionOpener(context),
    loadImages: createImageLoader(context),
    events: (after, signal) => journal.follow(after, signal),
    tally: () => ({ tally: keeper.now.tally, upTime: clock.now().mono - since }),
    vitals: () => vitalsOf({ link, keeper, office, sync }),
  });

  return {
    control,
    accounts: gateAccounts(office, createAccounts(context, deps)),
    oakestra,
    limit: (caller) => limitControl(context, ownership, control, caller),
    start() {
      journal.add('reconciler_started', 'cluster', `epoch ${world.fence.epoch}`);
      recall(context);
      leases.load();
      direct.load();
      retirements.load();
      overrides.load();
      suspends.load();
      schedules.load();
      tags.load();
      seeds.load();
      extendGrace();
      context.deps.bus.open({ subscribe: reconcilerFilters(settings.cluster) }, handlers);
      office.whenTaken(() => {
        enrolment.tellBroker();
        void losses.load().then((lost) => {
          if (!stopped) adoption.begin(lost);
        });
        sync.start();
      });
      pulse.start();
    },
    wake: sync.wake,
    contested: duplicates.contested,
    forgotten: (node) => void (standing.knocked(node) || enrolment.forgotten(node)),
    brokerRestarted: (reason) => journal.add('broker_restarted', 'cluster', reason),
    async stop() {
      stopped = true;
      pulse.stop();
      losses.stop();
      duplicates.stop();
      observer.stop();
      adoption.stop();
      try {
        await sync.stop();
        await planner.stop();
      } finally {
        dispatcher.stop();
        await context.deps.bus.close();
      }
    },
  };
}
