/** Full names in descriptors: made out even where a descriptor is broken, and compared over a set of files. */
import { descriptorDefaults, type ParsedService } from './descriptor-parsed.ts';
import { appNamePattern, type ServiceName, serviceName } from './names.ts';
import { type Problem, problem } from './problem.ts';
import type { Path } from './yaml.ts';

/**
 * Names that are there twice, or differ by case only (services and applications), over all files of a set: NAME_TAKEN at each
 * later one.
 */
export function checkNames(services: readonly ParsedService[]): readonly Problem[] {
  const problems: Problem[] = [];
  const known = new Map<string, { readonly name: string; readonly at: ParsedService }>();
  const compare = (kind: string, name: string, at: ParsedService, mayRepeat: boolean): void => {
    const key = `${kind} ${name.toLowerCase()}`;
    const other = known.get(key);
    known.set(key, other ?? { name, at });
    if (!other || (mayRepeat && other.name === name)) return;
    const where = `${other.at.file}:${other.at.line}`;
    const message =
      other.name === name ? `the ${kind} is also at ${where}` : `differs by case only from ${other.name} at ${where}`;
    problems.push(
      problem('NAME_TAKEN', message, { file: at.file, line: at.line, subject: name, hint: 'another name' }),
    );
  };
  for (const service of services) {
    compare('service', service.spec.name, service, false);
    compare('application', service.app, service, true);
  }
  return problems;
}

/** All service names that can be made out in a document, valid or not. */
export function namesIn(document: unknown): readonly ServiceName[] {
  return list(document, 'applications').flatMap((_, application) =>
    list(member(list(document, 'applications'), application), 'microservices').flatMap((_, service) => {
      const name = nameAt(document, ['applications', application, 'microservices', service]);
      return name === undefined ? [] : [name];
    }),
  );
}

/** Full name of the service that a path leads into, if it can be made out. */
export function nameAt(document: unknown, path: Path): ServiceName | undefined {
  const [applications, index, microservices, position] = path;
  if (applications !== 'applications' || microservices !== 'microservices') return undefined;
  const application = member(list(document, 'applications'), index);
  const service = member(list(application, 'microservices'), position);
  const { namespace } = descriptorDefaults;
  const app = member(application, 'application_name');
  const appNamespace = member(application, 'application_namespace') ?? namespace;
  const name = member(service, 'microservice_name');
  const serviceNamespace = member(service, 'microservice_namespace') ?? namespace;
  if (!isName(app) || !isName(appNamespace) || !isName(name) || !isName(serviceNamespace)) return undefined;
  return serviceName({ app, appNamespace, service: name, serviceNamespace });
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 30 && appNamePattern.test(value);
}

function member(value: unknown, key: string | number | undefined): unknown {
  if (typeof value !== 'object' || value === null || key === undefined) return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string | number, unknown>)[key] : undefined;
}

function list(value: unknown, key: string): readonly unknown[] {
  const found = member(value, key);
  return Array.isArray(found) ? found : [];
}
