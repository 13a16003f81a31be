/**
 * What a person types for a name: the full name, a short form, or the beginning of exactly one. The exact name wins over short
 * forms, and those over beginnings, so that `web.instance.1` is never `web.instance.10`.
 */

import { parseInstanceName, parseServiceName } from '../../schemas/names.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { nearest } from '../../schemas/spelling.ts';
import type { AppView, InstanceView, NodeView, ServiceView } from '../../schemas/views.ts';

export type Resolution<T> =
  | { readonly kind: 'found'; readonly item: T }
  /** NOT_FOUND, or BAD_REQUEST with the candidates when several fit. */
  | { readonly kind: 'problem'; readonly problem: Problem };

/** Ways to say one thing: full names first, then short forms. Beginnings count for full names only. */
interface Spelling {
  readonly full: readonly string[];
  readonly short: readonly string[];
}

/** Candidates that a message lists. */
const maxListed = 8;

/** `app.appns`, or `app` alone. */
export function resolveApp<T extends Pick<AppView, 'name'>>(apps: readonly T[], text: string): Resolution<T> {
  return resolve('application', apps, text, ({ name }) => ({ full: [name], short: [name.split('.')[0] ?? name] }));
}

/** `app.appns.service.servicens`, `app.service`, or `service` alone. */
export function resolveService<T extends Pick<ServiceView, 'name'>>(
  services: readonly T[],
  text: string,
): Resolution<T> {
  return resolve('service', services, text, ({ name }) => ({ full: [name], short: shortServiceNames(name) }));
}

/** An application or a service, by any of their names; nobody guesses where both have one. */
export function resolveEither<T extends { readonly name: string }>(
  apps: readonly T[],
  services: readonly T[],
  text: string,
): Resolution<T> {
  const all = new Set(apps);
  return resolve('application or service', [...apps, ...services], text, (item) => {
    const { name } = item;
    return { full: [name], short: all.has(item) ? [name.split('.')[0] ?? name] : shortServiceNames(name) };
  });
}

/** The full name, or any name of its service followed by `.instance.<slot>` or `.<slot>`; or the service alone when it has one instance. */
export function resolveInstance<T extends Pick<InstanceView, 'name'>>(
  instances: readonly T[],
  text: string,
): Resolution<T> {
  return resolve('instance', instances, text, ({ name }) => {
    const parsed = parseInstanceName(name);
    if (!parsed) return { full: [name], short: [] };
    const services = [parsed.service, ...shortServiceNames(parsed.service)];
    const forms = (service: string) => [`${service}.instance.${parsed.slot}`, `${service}.${parsed.slot}`, service];
    return { full: [name], short: services.flatMap(forms) };
  });
}

/** Its name, its id, one of its aliases, or its IP. */
export function resolveNode<T extends Pick<NodeView, 'name' | 'id' | 'aliases' | 'ip'>>(
  nodes: readonly T[],
  text: string,
): Resolution<T> {
  return resolve('node', nodes, text, ({ name, id, aliases, ip }) => ({
    full: id === undefined ? [name] : [name, id],
    short: ip === undefined ? aliases : [...aliases, ip],
  }));
}

/**
 * Instances that each of `texts` tells: one instance, or all of a service. In the order of `instances`, each once.
 * Problems of all texts that tell nothing.
 */
export function selectInstances<T extends Pick<InstanceView, 'name' | 'service'>>(
  instances: readonly T[],
  services: readonly Pick<ServiceView, 'name'>[],
  texts: readonly string[],
): { readonly items: readonly T[]; readonly problems: readonly Problem[] } {
  const chosen = new Set<T>();
  const problems: Problem[] = [];
  for (const text of texts) {
    const service = resolveService(services, text);
    const one = service.kind === 'found' ? undefined : resolveInstance(instances, text);
    if (service.kind === 'found') {
      for (const item of instances.filter((each) => each.service === service.item.name)) chosen.add(item);
    } else if (one?.kind === 'found') chosen.add(one.item);
    else if (one) problems.push(isAmbiguous(service) ? service.problem : one.problem);
  }
  return { items: instances.filter((item) => chosen.has(item)), problems };
}

/** What can be named, and the command that lists it. */
const lists = {
  application: 'apps',
  service: 'services',
  'application or service': 'services',
  instance: 'instances',
  node: 'nodes',
} as const;
type Kind = keyof typeof lists;

const didYouMean = 'did you mean';

/** Was there something of nearly that name? */
export function isMisspelling(resolution: Resolution<unknown>): boolean {
  return resolution.kind === 'problem' && resolution.problem.hint?.startsWith(didYouMean) === true;
}

function isAmbiguous(resolution: Resolution<unknown>): boolean {
  return resolution.kind === 'problem' && resolution.problem.code === 'BAD_REQUEST';
}

function shortServiceNames(name: string): readonly string[] {
  const parts = parseServiceName(name);
  return parts ? [`${parts.app}.${parts.service}`, parts.service] : [];
}

function resolve<T extends { readonly name: string }>(
  kind: Kind,
  items: readonly T[],
  text: string,
  spell: (item: T) => Spelling,
): Resolution<T> {
  const spelled = items.map((item) => ({ item, ...spell(item) }));
  const ways = [
    spelled.filter(({ full }) => full.includes(text)),
    spelled.filter(({ short }) => short.includes(text)),
    // A whole part of a name is meant before a piece of one: `shop.default.web` is not `shop.default.website.default`.
    text === '' ? [] : spelled.filter(({ full }) => full.some((name) => name.startsWith(`${text}.`))),
    text === '' ? [] : spelled.filter(({ full }) => full.some((name) => name.startsWith(text))),
  ];
  const fitting = ways.find((found) => found.length > 0) ?? [];
  const [first] = fitting;
  if (!first) {
    const known = spelled.flatMap(({ full, short }) => [...full, ...short]);
    return notFound(kind, text, nearest(text, known));
  }
  return fitting.length === 1 ? { kind: 'found', item: first.item } : ambiguous(kind, text, fitting);
}

function notFound<T>(kind: Kind, text: string, meant: string | undefined): Resolution<T> {
  const hint = meant === undefined ? `\`oakctl ${lists[kind]} ls\` lists what there is` : `${didYouMean} \`${meant}\`?`;
  return {
    kind: 'problem',
    problem: problem('NOT_FOUND', `no ${kind} is named \`${text}\``, { subject: text, hint }),
  };
}

function ambiguous<T extends { readonly name: string }>(
  kind: Kind,
  text: string,
  fitting: readonly { readonly item: T }[],
): Resolution<T> {
  const names = fitting.map(({ item }) => item.name).sort();
  const more = names.length > maxListed ? `, and ${names.length - maxListed} more` : '';
  return {
    kind: 'problem',
    problem: problem('BAD_REQUEST', `\`${text}\` fits ${names.length} ${kind.split(' or ').join('s or ')}s`, {
      subject: text,
      hint: `one of: ${names.slice(0, maxListed).join(', ')}${more}`,
    }),
  };
}
