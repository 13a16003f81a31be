/** What is wrong with a cluster, and whom to tell when: once per change of state, with reminders and recovery. Pure. */
import type { ClusterStatus, NodeView, Outcome, ServiceView } from '../../schemas/views.ts';

/** Something that is wrong. Another code is another state of the same thing. */
export interface Alert {
  /** Service, `node/<name>`, `source/<name>`, or `cluster`. */
  readonly subject: string;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Of one alert, by its key. Times in ms since 1970. */
export interface Remembered {
  /** Since when it is so. */
  readonly since: number;
  /** Since when it is not so any more. */
  readonly gone?: number;
  /** What was told last. */
  readonly told?: { readonly alert: Alert; readonly at: number };
}

/** What a receiver was told, by key. */
export type AlertMemory = Readonly<Record<string, Remembered>>;

/** What a receiver is to be told. */
export interface Notice extends Alert {
  readonly kind: 'problem' | 'reminder' | 'recovered';
  readonly key: string;
  /** Since when it was wrong; ms since 1970. */
  readonly since: number;
}

/** `after`: how long a state lasts before it is told; `remind`: between reminders, 0 for none. In ms. */
export interface NoticeTimes {
  readonly after: number;
  readonly remind: number;
}

const alarming: ReadonlySet<Outcome> = new Set(['failed', 'rolled_back', 'paused', 'held', 'orphaned']);

/** What is wrong now, by a key that stays the same while it is about the same thing. */
export function alertsOf(
  { sources, holds, conditions }: Pick<ClusterStatus, 'sources' | 'holds' | 'conditions'>,
  services: readonly Pick<ServiceView, 'name' | 'outcome' | 'message' | 'suspended'>[],
  nodes: readonly Pick<NodeView, 'name' | 'state' | 'suspended'>[],
): ReadonlyMap<string, Alert> {
  const found = new Map<string, Alert>();
  for (const { name, outcome, message, suspended } of services) {
    // Who had it left alone knows that it waits.
    if (alarming.has(outcome) && !(outcome === 'held' && suspended))
      found.set(`service/${name}`, { subject: name, code: outcome.toUpperCase(), message });
  }
  for (const { name, state, suspended } of nodes) {
    const subject = `node/${name}`;
    if (state === 'lost' && !suspended)
      found.set(subject, { subject, code: 'NODE_LOST', message: 'it does not report any more' });
  }
  const told = new Set<string>();
  for (const { name, state, problems } of sources) {
    if (state === 'synced') continue;
    const [first] = problems;
    for (const { code, subject: about } of problems) told.add(`${code} ${about}`);
    const subject = `source/${name}`;
    const { code = state.toUpperCase(), message = `it is ${state}`, hint } = first ?? {};
    found.set(subject, { subject, code, message, ...(hint === undefined ? {} : { hint }) });
  }
  for (const { id, code, subject, message } of holds) {
    if (id !== undefined) found.set(`hold/${id}`, { subject, code, message, hint: `oakctl approve ${id}` });
    else if (code === 'MASS_LOSS') found.set(`hold/${code}`, { subject, code, message });
  }
  for (const { code, subject = 'cluster', message, hint, severity } of conditions) {
    if (severity === 'warning' || told.has(`${code} ${subject}`)) continue;
    found.set(`condition/${code}/${subject}`, { subject, code, message, ...(hint === undefined ? {} : { hint }) });
  }
  return found;
}

/**
 * The memory after another look: since when what is, and is not. Nothing began later than now: what a clock says that was set back since
 * would keep its receiver waiting until that time comes again.
 */
export function looked(memory: AlertMemory, alerts: ReadonlyMap<string, Alert>, now: number): AlertMemory {
  const next: Record<string, Remembered> = {};
  for (const [key, { since, gone = now, told }] of Object.entries(memory)) {
    const before: Remembered = {
      since: Math.min(since, now),
      ...(told && { told: { ...told, at: Math.min(told.at, now) } }),
    };
    if (alerts.has(key)) next[key] = before;
    // What nobody was told of is forgotten as soon as it is over.
    else if (told) next[key] = { ...before, gone: Math.min(gone, now) };
  }
  for (const key of alerts.keys()) next[key] ??= { since: now };
  return next;
}

/** What is to be told now, in the order of the keys. */
export function noticesOf(
  memory: AlertMemory,
  alerts: ReadonlyMap<string, Alert>,
  now: number,
  { after, remind }: NoticeTimes,
): readonly Notice[] {
  const notices = Object.entries(memory).flatMap(([key, { since, gone, told }]): Notice[] => {
    const alert = alerts.get(key);
    if (alert === undefined) {
      if (told === undefined || now - (gone ?? now) < after) return [];
      return [{ ...told.alert, kind: 'recovered', key, since }];
    }
    if (told === undefined) return now - since < after ? [] : [{ ...alert, kind: 'problem', key, since }];
    if (told.alert.code !== alert.code) return [{ ...alert, kind: 'problem', key, since }];
    return remind > 0 && now - told.at >= remind ? [{ ...alert, kind: 'reminder', key, since }] : [];
  });
  return notices.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The memory once these were told. */
export function toldNow(memory: AlertMemory, notices: readonly Notice[], now: number): AlertMemory {
  const next: Record<string, Remembered> = { ...memory };
  for (const { kind, key, since, subject, code, message, hint } of notices) {
    const alert = { subject, code, message, ...(hint === undefined ? {} : { hint }) };
    if (kind === 'recovered') delete next[key];
    else next[key] = { since, told: { alert, at: now } };
  }
  return next;
}
