/** A service as a descriptor that says no more than it has to. Pure. */
import { stringify } from 'yaml';
import { parseDescriptor, toDescriptor } from '../../schemas/descriptor.ts';
import { canonicalJson } from '../../schemas/digest.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The shortest text that reads as this service: without what is the default anyway. Undefined where a text alone cannot say it (files of
 * the repository that it takes in, versions of secrets).
 */
export function shortDescriptor(spec: ServiceSpec, comment: string): string | undefined {
  const [application] = toDescriptor([{ spec }])['applications'] as readonly Fields[];
  if (!application) return undefined;
  const { microservices, ...head } = application;
  const [service] = microservices as readonly Fields[];
  const textOf = (above: Fields, below: Fields): string =>
    stringify({ sla_version: 'v2.0', applications: [{ ...above, microservices: [below] }] }, { lineWidth: 0 });
  const says = (text: string): boolean => {
    const { services, problems } = parseDescriptor(text, 'descriptor');
    if (problems.some(({ severity }) => severity !== 'warning')) return false;
    return canonicalJson(services.map((one) => one.spec)) === canonicalJson([spec]);
  };
  if (!service || !says(textOf(head, service))) return undefined;
  const isEnough = (rest: Fields): boolean => says(textOf(head, rest));
  const below = withoutWithin(without(service, isEnough), isEnough);
  const above = without(head, (rest) => says(textOf(rest, below)));
  return `# ${comment}\n${textOf(above, below)}`;
}

/** Of members that have members the ones that are needed. */
function withoutWithin(fields: Fields, isEnough: (rest: Fields) => boolean): Fields {
  let kept = fields;
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue;
    kept = { ...kept, [key]: without(value as Fields, (rest) => isEnough({ ...kept, [key]: rest })) };
  }
  return kept;
}

/** The members that are needed. */
function without(fields: Fields, isEnough: (rest: Fields) => boolean): Fields {
  let kept = fields;
  for (const key of Object.keys(fields)) {
    const { [key]: _default, ...rest } = kept;
    if (isEnough(rest)) kept = rest;
  }
  return kept;
}
