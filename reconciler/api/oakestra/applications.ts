/** Oakestra's applications and clusters. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { firstUser } from '../../../schemas/accounts.ts';
import { appNamePattern, type ServiceName } from '../../../schemas/names.ts';
import { type ProblemCode, ProblemError, problem } from '../../../schemas/problem.ts';
import type { ServiceView } from '../../../schemas/views.ts';
import type { Accounts } from '../../accounts/accounts.ts';
import { applicationOf, clusterOf, microserviceOf } from '../../core/oakestra.ts';
import { hasVolumes } from '../../core/volumes.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { appOf } from '../../ownership.ts';
import { needs } from '../access.ts';
import { readSla, type SlaChange } from './descriptors.ts';
import { refuseGit } from './failures.ts';

type Seen = Pick<FastifyRequest, 'control' | 'caller'>;

interface IdRoute {
  Params: { id: string };
}

export function oakestraApplicationRoutes(app: FastifyInstance, accounts: Accounts, desk: OakestraDesk): void {
  const show = (seen: Seen, of: (owner: string | undefined) => boolean = () => true): object[] => {
    const services = visible(seen);
    const described = desk.applications(seen.caller);
    const byApp = new Map<string, ServiceView[]>(appNames(services, described).map((name) => [name, []]));
    for (const service of services) byApp.get(appOf(service.name) ?? '')?.push(service);
    return [...byApp]
      .filter(([name]) => of(desk.ownerOf(name)))
      .map(([name, own]) => view(name, own, described.get(name), { accounts, desk, control: seen.control }));
  };
  app.post('/api/application', needs('change'), async (request) => {
    await applySla(request.body, request, desk, 'register');
    return show(request);
  });
  for (const spelling of ['applications', 'aplications']) {
    app.get(`/api/${spelling}`, needs('read'), async (request) => show(request));
    app.get<IdRoute>(`/api/${spelling}/:id`, needs('read'), async (request) => {
      const { id } = request.params;
      const user = accounts.byId(id);
      if (!user) throw failure('NOT_FOUND', id, `there is no account with the id ${id}`);
      return show(request, (owner) => owner === id || (owner === undefined && user.role === 'admin'));
    });
  }
  app.get<IdRoute>('/api/application/:id', needs('read'), async (request) => {
    const name = appOfId(request.params.id, request, desk);
    const described = desk.applications(request.caller).get(name);
    return view(name, servicesOf(name, visible(request)), described, { accounts, desk, control: request.control });
  });
  app.put<IdRoute>('/api/application/:id', needs('change'), async (request) => {
    const name = appOfId(request.params.id, request, desk);
    await rewrite(name, request, desk);
    return { message: `${name} was updated` };
  });
  app.delete<IdRoute>('/api/application/:id', needs('change'), async (request) => {
    const { control, caller, params } = request;
    const name = appOfId(params.id, request, desk);
    const services = servicesOf(name, visible(request));
    for (const service of services) refuseGit(service);
    if (services.length > 0) await control.remove({ services: services.map((service) => service.name) }, caller.name);
    await desk.forget(name);
    return { message: `${name} was deleted` };
  });
  for (const path of ['/api/clusters', '/api/clusters/active'])
    app.get(path, needs('known'), async ({ control }) => [clusterOf(control.status(), control.nodes(), desk.cluster)]);
}

/** Carries out an SLA. `register`: applications without an id are new ones. */
export async function applySla(
  body: unknown,
  seen: Seen,
  desk: OakestraDesk,
  how: 'register' | 'add' | 'edit',
): Promise<readonly ServiceName[]> {
  const { control, caller } = seen;
  const services = visible(seen);
  const apps = appNames(services, desk.applications(caller));
  const replicas = (name: string): number | 'every' => {
    const asked = control.registered(name)?.spec.replicas;
    return asked === 'every' ? asked : (services.find((one) => one.name === name)?.slots ?? 0);
  };
  const change = readSla(body, { desk, apps, services: services.map(({ name }) => name), replicas });
  for (const { name, from } of change.apps) {
    requireAppName(name);
    for (const service of servicesOf(from ?? name, services)) refuseGit(service);
    const isNew = how === 'register' && from === undefined;
    if ((isNew || (from !== undefined && from !== name)) && apps.includes(name))
      throw failure('NAME_TAKEN', name, `there is an application ${name} already`, 'its applicationID edits it');
  }
  const renamed = change.services.flatMap(({ name, from }) =>
    from === undefined || from === name ? [] : [{ name, from }],
  );
  requireWhole(change, services);
  for (const { name, from } of renamed) requireMovable(name, from, seen);
  for (const { name, from } of change.services)
    if (how === 'add' && from === undefined && services.some((one) => one.name === name))
      throw failure('NAME_TAKEN', name, 'there is such a service already', 'its microserviceID edits it');
  if (change.services.length > 0)
    await control.deploy({ documents: [{ file: 'SLA', text: change.text }], actor: caller.name });
  for (const { name, description } of change.apps) await desk.register(caller, name, description);
  for (const { name, from } of renamed) desk.renamed('service', from, name);
  for (const { name, from } of change.apps) {
    if (from === undefined || from === name) continue;
    desk.renamed('app', from, name);
  }
  if (renamed.length > 0) await control.remove({ services: renamed.map(({ from }) => from) }, caller.name);
  for (const { name, from } of change.apps) if (from !== undefined && from !== name) await desk.forget(from);
  return change.services.map(({ name }) => name);
}

/** A name without a service is looked at by nobody else. */
function requireAppName(name: string): void {
  if (name.split('.').every((part) => appNamePattern.test(part))) return;
  const hint = 'letters, digits and dashes, at most 30';
  throw failure('NAME_INVALID', name, 'this is no name and namespace of an application', hint);
}

/** An application that is renamed has to name all its services: those that it does not name would be left behind. */
function requireWhole(change: SlaChange, services: readonly ServiceView[]): void {
  for (const { name, from } of change.apps) {
    if (from === undefined || from === name) continue;
    const left = services.filter(
      (one) => appOf(one.name) === from && !change.services.some((s) => s.from === one.name),
    );
    if (left.length === 0) continue;
    const names = left.map((one) => one.name).join(', ');
    throw failure(
      'BAD_REQUEST',
      from,
      `it is renamed, and these services are not in it: ${names}`,
      'name them, with their microserviceID',
    );
  }
}

/** Another name is another set of containers; data does not follow by itself. */
function requireMovable(name: ServiceName, from: ServiceName, { control }: Seen): void {
  if (control.service(name)) throw failure('NAME_TAKEN', name, 'there is such a service already');
  const run = control.registered(from)?.spec.run;
  if (run && hasVolumes(run))
    throw failure('REFUSED', from, 'it has volumes, which would stay behind under the old name', 'deploy it anew');
}

/** PUT of an application: its name and description; `microservices` is what it has. */
async function rewrite(name: string, request: FastifyRequest, desk: OakestraDesk): Promise<void> {
  const services = servicesOf(name, visible(request));
  for (const service of services) refuseGit(service);
  const given = (request.body ?? {}) as Readonly<Record<string, unknown>>;
  const [application_name, application_namespace] = name.split('.');
  const microservices = services.flatMap((service) => {
    const registered = request.control.registered(service.name);
    return registered ? [{ ...microserviceOf(registered), microserviceID: desk.service(service.name) }] : [];
  });
  const fields = ['application_name', 'application_namespace', 'application_desc'];
  const wanted = Object.fromEntries(
    fields.flatMap((key) => (typeof given[key] === 'string' ? [[key, given[key]]] : [])),
  );
  const before = {
    application_name,
    application_namespace,
    application_desc: desk.applications(request.caller).get(name),
  };
  const application = { ...before, ...wanted, applicationID: desk.app(name), microservices };
  await applySla({ sla_version: 'v2.0', applications: [application] }, request, desk, 'edit');
}

/** Services that are to be; at a cost that grows with the cluster. */
export function visible(seen: Pick<Seen, 'control'>): readonly ServiceView[] {
  return seen.control.services().filter((service) => isVisible(service, seen));
}

/** What is being removed, or what nobody asks for, is gone for these clients. */
export function isVisible({ name, outcome }: ServiceView, { control }: Pick<Seen, 'control'>): boolean {
  return outcome !== 'removing' && control.registered(name) !== undefined;
}

export function servicesOf(app: string, services: readonly ServiceView[]): readonly ServiceView[] {
  return services.filter(({ name }) => appOf(name) === app);
}

/** Of services, and of applications that were registered: these may have none. */
function appNames(services: readonly ServiceView[], registered: ReadonlyMap<string, string>): readonly string[] {
  const deployed = services.flatMap(({ name }) => appOf(name) ?? []);
  return [...new Set([...registered.keys(), ...deployed])].sort();
}

/** NOT_FOUND. */
export function appOfId(id: string, seen: Seen, desk: OakestraDesk): string {
  const name = appNames(visible(seen), desk.applications(seen.caller)).find((one) => desk.app(one) === id);
  if (name !== undefined) return name;
  throw failure('NOT_FOUND', id, `there is no application with the id ${id}`);
}

/** `described`: as it was registered; what its services say counts more. */
function view(
  name: string,
  own: readonly ServiceView[],
  described: string | undefined,
  { accounts, desk, control }: Pick<Seen, 'control'> & { readonly accounts: Accounts; readonly desk: OakestraDesk },
): object {
  const services = own.map((service) => service.name);
  const [first] = services;
  const written = first === undefined ? undefined : control.registered(first)?.spec.description;
  const owner = accounts.byId(desk.ownerOf(name) ?? '')?.name ?? firstUser;
  return applicationOf(name, { owner, description: written ?? described ?? '', services }, desk);
}

export function failure(code: ProblemCode, subject: string, message: string, hint?: string): ProblemError {
  return new ProblemError(problem(code, message, { subject, ...(hint !== undefined && { hint }) }));
}
