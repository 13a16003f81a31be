/**
 * Descriptors that come through Oakestra's API: what they register, what they edit by its id, what they rename. Nothing here starts
 * anything: new services have no instance, and known ones keep theirs.
 */
import { type ServiceName, serviceName } from '../../../schemas/names.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { appOf } from '../../ownership.ts';

type Json = Readonly<Record<string, unknown>>;

/** A change that an SLA document asks for. */
export interface SlaChange {
  /** The descriptor without ids, with the number of instances that there are. */
  readonly text: string;
  readonly apps: readonly { readonly name: string; readonly description: string; readonly from?: string }[];
  readonly services: readonly { readonly name: ServiceName; readonly from?: ServiceName }[];
}

export interface Known {
  readonly desk: OakestraDesk;
  /** Names that the caller may see. */
  readonly apps: readonly string[];
  readonly services: readonly ServiceName[];
  /** How many instances a service has. */
  replicas(service: ServiceName): number | 'every';
}

/** BAD_REQUEST for what is no SLA, NOT_FOUND for an id of nothing. What else is wrong, the descriptor's own checks say. */
export function readSla(body: unknown, known: Known): SlaChange {
  const document = isObject(body) ? body : malformed('the body must be an SLA: an object with `applications`');
  const applications = listOf(document['applications'], 'applications');
  const apps: SlaChange['apps'][number][] = [];
  const services: SlaChange['services'][number][] = [];
  const written = applications.map((application) => {
    const { applicationID, microservices, ...rest } = application;
    const name = `${text(rest['application_name'])}.${text(rest['application_namespace']) || 'default'}`;
    const from = idIn(applicationID, known.apps, known.desk.app, 'application');
    apps.push({ name, description: text(rest['application_desc']), ...(from !== undefined && { from }) });
    const list = listOf(microservices ?? [], 'microservices').map((microservice) => {
      const { microserviceID, ...service } = microservice;
      const candidates = known.services.filter((one) => from === undefined || appOf(one) === from);
      const old = idIn(microserviceID, candidates, known.desk.service, 'service');
      const [app = '', appNamespace = ''] = name.split('.');
      const full = serviceName({
        app,
        appNamespace,
        service: text(service['microservice_name']),
        serviceNamespace: text(service['microservice_namespace']) || 'default',
      });
      services.push({ name: full, ...(old !== undefined && { from: old }) });
      return { ...service, replicas: service['replicas'] ?? known.replicas(old ?? full) };
    });
    return { ...rest, microservices: list };
  });
  return { text: JSON.stringify({ ...document, applications: written }), apps, services };
}

/** The name of what has this id; undefined for an empty one. */
function idIn(id: unknown, names: readonly string[], idOf: (name: string) => string, kind: string): string | undefined {
  if (id === undefined || id === null || id === '') return undefined;
  const found = names.find((name) => idOf(name) === id);
  if (found !== undefined) return found;
  const hint = 'leave the id empty to make something new';
  throw new ProblemError(problem('NOT_FOUND', `there is no ${kind} with the id ${text(id)}`, { hint }));
}

function listOf(value: unknown, key: string): readonly Json[] {
  if (Array.isArray(value) && value.every(isObject)) return value;
  return malformed(`\`${key}\` must be a list of objects`);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whatever is no text is left to the checks of the descriptor. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function malformed(what: string): never {
  throw new ProblemError(problem('BAD_REQUEST', what));
}
