/** `depends_on`: which services have to be healthy before another one starts for the first time. */

import { type Application, descriptorDefaults, type ParsedService } from './descriptor-parsed.ts';
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { parseServiceName, type ServiceName, serviceName } from './names.ts';
import { type Problem, problem } from './problem.ts';
import type { ServiceSpec } from './spec.ts';
import type { Path } from './yaml.ts';

/** The services as full names. A name without dots is one of the same application, in the same namespace if there are several. */
export function toDependencies(
  application: Application,
  service: Microservice,
  path: Path,
  findings: Findings,
): Pick<ServiceSpec, 'depends_on'> {
  const own = fullNameOf(application, service);
  const names = (service.depends_on ?? []).flatMap((written, index): ServiceName[] => {
    const at = [...path, 'depends_on', index];
    const name = written.includes('.') ? written : siblingOf(application, service, written);
    if (!parseServiceName(name)) {
      const hint = 'a service of this application, or app.namespace.service.namespace';
      findings.error('DESCRIPTOR_INVALID', at, `\`${written}\` is no name of a service`, hint);
    } else if (name === own) {
      findings.error('DESCRIPTOR_INVALID', at, 'a service cannot wait for itself', 'remove it');
    }
    return [name];
  });
  return names.length > 0 ? { depends_on: [...new Set(names)].sort() } : {};
}

function fullNameOf({ application_name, application_namespace }: Application, service: Microservice): ServiceName {
  const { namespace } = descriptorDefaults;
  return serviceName({
    app: application_name,
    appNamespace: application_namespace ?? namespace,
    service: service.microservice_name,
    serviceNamespace: service.microservice_namespace ?? namespace,
  });
}

/** What is not in this file may be in another one of the application. */
function siblingOf(application: Application, service: Microservice, name: string): ServiceName {
  const called = application.microservices.filter(({ microservice_name }) => microservice_name === name);
  const near = called.find(({ microservice_namespace }) => microservice_namespace === service.microservice_namespace);
  return fullNameOf(application, near ?? called[0] ?? { ...service, microservice_name: name });
}

/** Services that wait for each other in a circle, over all files of a set: DESCRIPTOR_INVALID at the first of each circle. */
export function checkCycles(services: readonly ParsedService[]): readonly Problem[] {
  const byName = new Map(services.map((service) => [service.spec.name, service]));
  const done = new Set<ServiceName>();
  const problems: Problem[] = [];
  const visit = (name: ServiceName, trail: readonly ServiceName[]): void => {
    const from = trail.indexOf(name);
    if (from >= 0) return void problems.push(cycleProblem(trail.slice(from), byName));
    if (done.has(name)) return;
    done.add(name);
    for (const next of byName.get(name)?.spec.depends_on ?? []) visit(next, [...trail, name]);
  };
  for (const name of [...byName.keys()].sort()) visit(name, []);
  return problems;
}

function cycleProblem(cycle: readonly ServiceName[], byName: ReadonlyMap<ServiceName, ParsedService>): Problem {
  const [first = ''] = cycle;
  const at = byName.get(first);
  const message = `depends_on goes in a circle: ${[...cycle, first].join(' -> ')}`;
  const where = at ? { file: at.file, line: at.line } : {};
  return problem('DESCRIPTOR_INVALID', message, { ...where, subject: first, hint: 'take one of them out' });
}
