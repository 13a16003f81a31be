/** The control plane of somebody who has some applications: it shows these, changes these, and knows no others. */
import { ProblemError, problem } from '../schemas/problem.ts';
import type { RunSecret } from '../schemas/spec.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Caller } from './core/rights.ts';
import { whyOf } from './core/why.ts';
import { appOf, type Ownership } from './ownership.ts';
import { readDescriptors } from './read-descriptors.ts';

const isOfNode = ({ source }: RunSecret): boolean => source === 'node';

/** Denies whatever is not named here. */
export function limitControl(
  { deps }: Pick<Context, 'deps'>,
  ownership: Ownership,
  control: ControlPlane,
  caller: Caller,
): ControlPlane {
  const isOwn = (subject: string): boolean => {
    const app = appOf(subject);
    return app !== undefined && ownership.owns(caller, app);
  };
  const requireOwn = (subject: string): void => {
    if (isOwn(subject)) return;
    throw new ProblemError(problem('NOT_FOUND', `${caller.name} has no ${subject}`, { subject }));
  };
  const deny = (): never => {
    throw new ProblemError(problem('FORBIDDEN', 'this is about the whole cluster, not about the own applications'));
  };
  /** The cluster and its nodes are nobody's. */
  const requireApplication = (subject: string): void => {
    if (!subject.includes('.')) deny();
    requireOwn(subject);
  };
  const denied = async (): Promise<never> => deny();
  const own = <T>(items: readonly T[], subject: (item: T) => string): readonly T[] =>
    items.filter((item) => isOwn(subject(item)));
  const services = () => own(control.services(), ({ name }) => name);
  const overrides = () => own(control.overrides(), ({ subject }) => subject);
  const holds = () => own(control.holds(), ({ subject }) => subject);
  /** Applications of what would be deployed. Access to hosts is for who answers for the hosts. */
  const readApps = (documents: Parameters<typeof readDescriptors>[0]): readonly string[] => {
    const specs = readDescriptors(documents, deps.settings).services.map(({ spec }) => spec);
    const mighty = specs.filter(
      ({ run }) =>
        run.host !== undefined || run.privileged || run.virtualization === 'process' || run.secrets?.some(isOfNode),
    );
    if (mighty.length > 0) {
      const what = 'access to the host, processes on it, and secrets of nodes (`source: node`) are deployed by admins';
      throw new ProblemError(mighty.map(({ name }) => problem('FORBIDDEN', what, { subject: name })));
    }
    return [...new Set(specs.map(({ name }) => appOf(name) ?? name))];
  };

  return {
    status() {
      const status = control.status();
      const counts = { ...status.services };
      for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] = 0;
      const mine = services();
      for (const { outcome } of mine) counts[outcome] += 1;
      const instances = {
        wanted: mine.reduce((sum, { slots }) => sum + slots, 0),
        healthy: mine.reduce((sum, { healthy }) => sum + healthy, 0),
      };
      const suspended = own(status.suspended, ({ subject }) => subject);
      const ours = { services: counts, instances, holds: holds(), overrides: overrides(), suspended };
      return { ...status, ...ours, sources: [], conditions: [] };
    },
    apps: () => own(control.apps(), ({ name }) => name),
    services,
    instances: () => own(control.instances(), ({ name }) => name),
    nodes: control.nodes,
    node: control.node,
    holds,
    overrides,
    tally: control.tally,
    vitals: control.vitals,
    cluster: control.cluster,
    service(name) {
      return isOwn(name) ? control.service(name) : undefined;
    },
    why(subject) {
      // Looked for among the own: what several fit, or what is meant instead, would be told of others, too.
      const meant = whyOf({ services: services(), nodes: [], status: control.status() }, subject);
      if (meant.kind === 'problem') throw new ProblemError(meant.problem);
      requireOwn(meant.item.subject);
      return control.why(meant.item.subject);
    },
    async deploy(request) {
      const end = ownership.claim(caller, readApps(request.documents));
      return control.deploy(request).finally(end);
    },
    async plan(request) {
      if (request.asSource) deny();
      for (const app of readApps(request.documents ?? [])) requireOwn(app);
      const { changes, holds: all, ...plan } = await control.plan(request, isOwn);
      return { ...plan, changes: own(changes, ({ subject }) => subject), holds: own(all, ({ subject }) => subject) };
    },
    async remove(names, actor) {
      for (const name of [...(names.services ?? []), ...(names.apps ?? [])]) requireOwn(name);
      return control.remove(names, actor);
    },
    async move(instance, ...how) {
      requireOwn(instance);
      return control.move(instance, ...how);
    },
    async replicate(instance, ...how) {
      requireOwn(instance);
      return control.replicate(instance, ...how);
    },
    registered: (service) => (isOwn(service) ? control.registered(service) : undefined),
    async addInstance(service, actor) {
      requireOwn(service);
      return control.addInstance(service, actor);
    },
    async dropInstance(instance, actor) {
      requireOwn(instance);
      return control.dropInstance(instance, actor);
    },
    async removeOverride(id, actor) {
      if (!overrides().some((one) => one.id === id)) requireOwn(id);
      return control.removeOverride(id, actor);
    },
    async scale(service, ...how) {
      requireOwn(service);
      return control.scale(service, ...how);
    },
    async stop(service, how) {
      requireOwn(service);
      return control.stop(service, how);
    },
    async start(service, actor) {
      requireOwn(service);
      return control.start(service, actor);
    },
    async undelete(service, how) {
      requireOwn(service);
      return control.undelete(service, how);
    },
    async restart(service, ...how) {
      requireOwn(service);
      return control.restart(service, ...how);
    },
    async suspend(subject, how) {
      requireApplication(subject);
      return control.suspend(subject, how);
    },
    async resume(subject, actor) {
      requireApplication(subject);
      return control.resume(subject, actor);
    },
    logs(instance, ...how) {
      requireOwn(instance);
      return control.logs(instance, ...how);
    },
    async exec(instance, ...how) {
      requireOwn(instance);
      return control.exec(instance, ...how);
    },
    async *events(after, signal) {
      for await (const event of control.events(after, signal))
        if (event.kind === 'events_missed' || isOwn(event.subject)) yield event;
    },
    loadImages: denied,
    figures: deny,
    calculate: deny,
    snapshot: denied,
    approve: denied,
    sync: denied,
    history: deny,
    rollback: denied,
    unpin: denied,
    createToken: denied,
    tokens: deny,
    revokeToken: denied,
    identity: deny,
    join: denied,
    register: denied,
    standing: deny,
    revoke: denied,
    removeNode: denied,
    keys: deny,
    rotateKeys: denied,
    renewCredential: denied,
    cordon: denied,
    drain: denied,
    uncordon: denied,
    registries: denied,
    login: denied,
    logout: denied,
    pullSources: denied,
  };
}
