/** Who did what: every change that somebody asks for, every login, and everything that was refused. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditEntry, AuditOutcome, AuditQuery } from '../../schemas/audit.ts';
import type { Clock } from '../../schemas/ports.ts';
import { type Buckets, createBuckets } from '../core/allowance.ts';
import { type Caller, hasRight, type Right } from '../core/rights.ts';
import type { AuditLog } from '../store/audit-log.ts';

export interface AuditDesk {
  record(deed: Deed): void;
  /** The newest that fit, the oldest of them first. */
  read(query: AuditQuery): Promise<readonly AuditEntry[]>;
}

/** What was asked for, and how it was answered. */
export interface Deed {
  /** Absent: nobody knows who it was. */
  readonly caller?: Caller | undefined;
  /** Who it says it is: of nobody that is known, and of the owner of the token file. */
  readonly claimed?: string | undefined;
  readonly address: string;
  readonly action: string;
  readonly subject?: string | undefined;
  readonly status: number;
}

/** Of what did not succeed, by one caller, and by all that nobody knows: whoever is refused must not push out what was done. */
const failures = { most: 30, every: 60_000 };
/** Of what did, by one who may change nothing but his own account: nor may he, by ending the same login again and again. */
const ownMatters = { most: 1_000, every: 60_000 };
/** And by one who may change applications, though not the cluster: to deploy again what is there costs nothing. All his tokens count together. */
const changes = { most: 5_000, every: 60_000 };
const usualLast = 100;
const longestName = 63;
const longestSubject = 200;

export function createAuditDesk({ log, clock }: { readonly log: AuditLog; readonly clock: Clock }): AuditDesk {
  const failed = createBuckets(failures);
  const own = createBuckets(ownMatters);
  const changed = createBuckets(changes);
  /** Of how much of this is written. Undefined: of all. */
  const limitOf = (outcome: AuditOutcome, caller: Caller | undefined): Buckets | undefined => {
    if (outcome !== 'done') return failed;
    if (!caller || caller.by === 'cluster' || hasRight(caller, 'admin')) return undefined;
    return hasRight(caller, 'change') ? changed : own;
  };
  const unwritten = new Map<string, number>();
  return {
    record(deed) {
      const { caller, status } = deed;
      const { mono, wall } = clock.now();
      const outcome = outcomeOf(status);
      const limit = limitOf(outcome, caller);
      const key = !caller ? 'nobody' : limit === changed ? caller.name : `${caller.by}/${caller.name}`;
      if (limit && limit.wait(key, mono) > 0) return void unwritten.set(key, (unwritten.get(key) ?? 0) + 1);
      limit?.take(key, mono);
      const missing = unwritten.get(key);
      unwritten.delete(key);
      log.add({ at: wall, ...entryOf(deed), outcome, status, ...(missing !== undefined && { unwritten: missing }) });
    },
    read: ({ last = usualLast, who, outcome }) =>
      log.read(
        last,
        (entry) => (who === undefined || entry.who === who) && (outcome === undefined || entry.outcome === outcome),
      ),
  };
}

function entryOf({ caller, claimed, address, action, subject }: Deed): Omit<AuditEntry, 'at' | 'outcome' | 'status'> {
  const who = caller && caller.by !== 'cluster' ? caller.name : (claimed ?? caller?.name ?? 'unknown');
  return {
    who: printable(who, longestName),
    by: caller?.by ?? 'nobody',
    ...(caller && { role: caller.role }),
    address,
    action,
    ...(subject !== undefined && { subject: printable(subject, longestSubject) }),
  };
}

/** Records the requests of a server with their answers, also of who left before he had his. `everybody`: the name of all callers, where nobody is asked who he is. */
export function auditRequests(app: FastifyInstance, desk: Pick<AuditDesk, 'record'>, everybody?: string): void {
  app.addHook('onSend', async (request, { statusCode: status }) => {
    const { right } = request.routeOptions.config;
    const caller = everybody === undefined ? (request.caller as Caller | undefined) : undefined;
    const isKnown = (caller?.name ?? everybody) !== undefined;
    if (request.is404 || !isWorthIt(request.method, right, status, isKnown)) return;
    const { actor, username } = textsOf(request.body);
    desk.record({
      caller,
      claimed: everybody ?? (caller ? actor : username),
      address: request.ip,
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      subject: subjectOf(request),
      status,
    });
  });
}

/** What only looks is of no interest, unless it was refused; nodes are known by what they do. */
function isWorthIt(method: string, right: Right | undefined, status: number, isKnown: boolean): boolean {
  if (right === undefined || right === 'node') return false;
  if (status === 401 || status === 403 || status === 429) return true;
  return isKnown && method !== 'GET' && method !== 'HEAD' && right !== 'read' && right !== 'survey';
}

export function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'done';
  return [401, 403, 409, 429].includes(status) ? 'refused' : 'failed';
}

/** Members of bodies that name something: texts, lists of texts, and of lists of objects what each of them is called. Never a password. */
const texts = ['name', 'subject', 'service', 'username', 'id', 'source', 'registry', 'kind', 'to', 'role'];
const lists = ['services', 'apps', 'nodes'];
const called = { documents: 'file', applications: 'application_name' };

/** What the path and the body name. */
function subjectOf({ params, body }: FastifyRequest): string | undefined {
  const members = (isObject(body) ? body : {}) as Readonly<Record<string, unknown>>;
  const itemsOf = (key: string): readonly unknown[] => {
    const list = members[key];
    return Array.isArray(list) ? list : [];
  };
  const named = [
    ...Object.values(textsOf(params)),
    ...texts.map((key) => members[key]),
    ...lists.flatMap(itemsOf),
    ...Object.entries(called).flatMap(([key, name]) => itemsOf(key).map((one) => textsOf(one)[name])),
  ].filter((one) => typeof one === 'string' && one !== '');
  return named.length > 0 ? named.join(' ') : undefined;
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Terminals show it. Cut first: a body names as much as it likes, and half a character is none. */
function printable(text: string, longest: number): string {
  return text.slice(0, longest).replace(/\p{C}/gu, '?');
}
