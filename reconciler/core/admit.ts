/**
 * The guards, once per revision of a source: what is accepted, what waits for a human, and why. A removal is a name that the source
 * had and this revision does not show; nothing else ever removes anything.
 */
import { canonicalJson, sha256 } from '../../schemas/digest.ts';
import type { ServiceName } from '../../schemas/names.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import type { Listing } from './model.ts';
import type { SourceRecord } from './records.ts';
import { keptKey, pathOfKey, type SnapshotService, type SourceSnapshot } from './snapshot.ts';

export interface AdmitOptions {
  /** More than max(count, share of what the source had) is held; all it had is always held. */
  readonly guard: { readonly count: number; readonly share: number };
  /** Hold ids that a human approved. */
  readonly approvals: ReadonlySet<string>;
  /** The commits say that so many services may go. Absent: they say nothing. */
  readonly allowed?: number;
  /** Names that another source has, with its slots. */
  readonly owners: ReadonlyMap<ServiceName, { readonly source: string; readonly slots: readonly number[] }>;
}

export interface Admission {
  /** What the source wants from now on; includes held removals in their last good version. */
  readonly services: ReadonlyMap<ServiceName, SnapshotService>;
  readonly record: SourceRecord;
  /** By service: it is not removed, or not taken over. */
  readonly held: ReadonlyMap<ServiceName, Hold>;
  /** All holds of the source, for people. */
  readonly holds: readonly Hold[];
  /** Entries of nodes.yaml that are in force. */
  readonly listings: readonly Listing[];
  /** Names of entries whose removal is accepted: their nodes are cordoned. */
  readonly removedListings: readonly string[];
  /** Approvals that this verdict used up: the set they were given for is gone. */
  readonly spent: readonly string[];
}

/** In the message of a commit: as many services may go by it, whatever the guard says. */
export const pruneTrailer = 'Oak-Allow-Prune';

/** What the trailers of some commits allow together: the largest number; what is none allows nothing. */
export function allowedBy(values: readonly string[]): number | undefined {
  const numbers = values.filter((value) => /^[1-9][0-9]{0,4}$/.test(value)).map(Number);
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

/** Id of a guard's hold: an approval stays valid until the set of subjects changes. */
export function holdId(guard: string, source: string, subjects: readonly string[]): string {
  return sha256(canonicalJson([guard, source, [...subjects].sort()])).slice(0, 12);
}

/** Judges a revision. `previous` is what was accepted before; undefined for a source that is new. */
export function admit(previous: SourceRecord | undefined, next: SourceSnapshot, options: AdmitOptions): Admission {
  const had = Object.values(previous?.files ?? {}).flatMap((file) => file.services);
  const removal = judgeRemoval(next, [...new Set(had)], options);
  const conflicts = judgeConflicts(next, options);
  const nodes = judgeListings(previous?.nodes ?? [], next, options);

  const services = new Map(next.services);
  for (const name of conflicts.keys()) services.delete(name);
  for (const name of removal.kept) {
    const last = next.lastGood.get(name);
    if (last) services.set(name, last);
  }
  const held = new Map<ServiceName, Hold>([...removal.kept].map((name) => [name, removal.hold as Hold]));
  for (const [name, hold] of conflicts) held.set(name, hold);

  return {
    services,
    record: {
      commit: next.commit,
      files: keepFiles(previous?.files ?? {}, next, {
        services: removal.kept,
        nodes: new Set(nodes.hold ? nodes.missing : []),
        conflicts: new Set(conflicts.keys()),
      }),
      nodes: nodes.listings.map((listing) => listing.name).sort(),
      ...(nodes.listings.length > 0 ? { listings: nodes.listings } : {}),
    },
    held,
    holds: [...(removal.hold ? [removal.hold] : []), ...(nodes.hold ? [nodes.hold] : []), ...conflicts.values()],
    listings: nodes.listings,
    removedListings: nodes.removed,
    spent: [...options.approvals].filter((id) =>
      [removal.spent, nodes.spent, ...handedOver(next, options)].includes(id),
    ),
  };
}

/** Does the guard hold this many removals of that many? */
function exceeds(removed: number, had: number, guard: AdmitOptions['guard']): boolean {
  return removed > 0 && (removed === had || removed > Math.max(guard.count, Math.floor(guard.share * had)));
}

function judgeRemoval(
  next: SourceSnapshot,
  had: readonly ServiceName[],
  options: AdmitOptions,
): { kept: ReadonlySet<ServiceName>; hold?: Hold; spent?: string } {
  const removed = had.filter((name) => !next.services.has(name)).sort();
  if (removed.length === 0) return { kept: new Set() };
  if (!next.complete) {
    const files = [
      ...new Set(next.problems.flatMap((one) => (one.file && one.severity !== 'warning' ? [one.file] : []))),
    ];
    const hold = guardHold('SOURCE_INCOMPLETE', next.source, removed, {
      message: `${removed.length} removals wait until ${files.join(', ') || 'every file'} can be read`,
      hint: 'fix the file and push',
    });
    return { kept: new Set(removed), hold };
  }
  if (!exceeds(removed.length, had.length, options.guard)) return { kept: new Set() };
  if (options.allowed !== undefined && removed.length <= options.allowed) return { kept: new Set() };
  const id = holdId('REMOVAL_GUARD', next.source, removed);
  if (options.approvals.has(id)) return { kept: new Set(), spent: id };
  const hold = guardHold('REMOVAL_GUARD', next.source, removed, {
    id,
    message: `${shown(next.commit)} removes ${removed.length} of ${had.length} services (a commit with \`${pruneTrailer}: ${removed.length}\` lets them go): ${shorten(removed)}`,
    hint: `oakctl approve ${id}`,
  });
  return { kept: new Set(removed), hold };
}

/** A commit in short; other names of a revision, such as a working copy, whole. */
export function shown(commit: string): string {
  return /^[0-9a-f]{40,}$/.test(commit) ? commit.slice(0, 10) : commit;
}

function judgeConflicts(next: SourceSnapshot, options: AdmitOptions): Map<ServiceName, Hold> {
  const conflicts = new Map<ServiceName, Hold>();
  for (const [name, service] of next.services) {
    const owner = options.owners.get(name);
    if (!owner) continue;
    const id = holdId('SOURCE_CONFLICT', next.source, [name]);
    if (owner.source === 'direct' && options.approvals.has(id)) continue;
    conflicts.set(name, {
      ...(owner.source === 'direct'
        ? { id, hint: `oakctl approve ${id}` }
        : { hint: 'remove it from one of the sources' }),
      code: 'SOURCE_CONFLICT',
      subject: name,
      message: `${next.source} (${service.file}) claims what ${owner.source} has: ${slotDifference(owner.slots, service)}`,
    });
  }
  return conflicts;
}

function slotDifference(slots: readonly number[], service: SnapshotService): string {
  const { replicas } = service.spec;
  if (replicas === 'every') return 'one slot per matching node instead of its own';
  const wanted = Array.from({ length: replicas }, (_, slot) => slot);
  const part = (verb: string, list: readonly number[]): string[] =>
    list.length > 0 ? [`${verb} ${list.join(', ')}`] : [];
  const parts = [
    ...part(
      'keep',
      slots.filter((slot) => wanted.includes(slot)),
    ),
    ...part(
      'start',
      wanted.filter((slot) => !slots.includes(slot)),
    ),
    ...part(
      'remove',
      slots.filter((slot) => !wanted.includes(slot)),
    ),
  ];
  return parts.join(', ') || 'no slots on either side';
}

/** Entries are compared after matching: an entry with the IP of one that left is a rename. */
function judgeListings(
  had: readonly string[],
  next: SourceSnapshot,
  options: AdmitOptions,
): {
  listings: readonly Listing[];
  removed: readonly string[];
  /** Entries that stay although the revision does not have them. */
  missing?: readonly string[];
  hold?: Hold;
  spent?: string;
} {
  const now = next.listings ?? [];
  const names = new Set(now.map((listing) => listing.name));
  const ips = new Set(now.flatMap((listing) => (listing.ip === undefined ? [] : [listing.ip])));
  const last = new Map(next.lastGoodListings.map((listing) => [listing.name, listing]));
  const renamed = (name: string): boolean => {
    const ip = last.get(name)?.ip;
    return ip !== undefined && ips.has(ip);
  };
  const removed = had.filter((name) => !names.has(name) && !renamed(name)).sort();
  const kept = [...now, ...removed.flatMap((name) => last.get(name) ?? [{ name, labels: {} }])];
  if (removed.length === 0) return { listings: now, removed: [] };
  const subjects = removed.map((name) => `node/${name}`);
  if (!next.complete) {
    const message = `${removed.length} entries of nodes.yaml stay until every file can be read`;
    const hold = guardHold('SOURCE_INCOMPLETE', next.source, subjects, { message });
    return { listings: kept, removed: [], missing: removed, hold };
  }
  const id = holdId('REMOVAL_GUARD', next.source, subjects);
  if (options.approvals.has(id)) return { listings: now, removed, spent: id };
  if (!exceeds(removed.length, had.length, options.guard)) return { listings: now, removed };
  const message = `${shown(next.commit)} removes ${removed.length} of ${had.length} entries of nodes.yaml: ${shorten(removed)}`;
  const hint = `oakctl approve ${id}`;
  return {
    listings: kept,
    removed: [],
    missing: removed,
    hold: guardHold('REMOVAL_GUARD', next.source, subjects, { id, message, hint }),
  };
}

function guardHold(
  code: HoldCode,
  source: string,
  subjects: readonly string[],
  rest: { readonly message: string; readonly id?: string; readonly hint?: string },
): Hold {
  return { code, subject: `source/${source}`, subjects, ...rest };
}

/** Approved takeovers of direct names. */
function handedOver(next: SourceSnapshot, options: AdmitOptions): string[] {
  return [...next.services.keys()]
    .filter((name) => options.owners.get(name)?.source === 'direct')
    .map((name) => holdId('SOURCE_CONFLICT', next.source, [name]));
}

/**
 * The files of the record: those of the commit, and the last good blob of whatever a hold keeps, so that it can be read again after
 * a restart. Names in conflict are not this source's.
 */
function keepFiles(
  before: SourceRecord['files'],
  next: SourceSnapshot,
  kept: {
    readonly services: ReadonlySet<ServiceName>;
    /** Names of entries. */
    readonly nodes: ReadonlySet<string>;
    readonly conflicts: ReadonlySet<ServiceName>;
  },
): SourceRecord['files'] {
  const files: Record<string, SourceRecord['files'][string]> = {};
  for (const [path, file] of Object.entries(next.files)) {
    const isWhole = kept.conflicts.size === 0 || !file.services.some((name) => kept.conflicts.has(name));
    files[path] = isWhole ? file : { ...file, services: file.services.filter((name) => !kept.conflicts.has(name)) };
  }
  if (kept.services.size === 0 && kept.nodes.size === 0) return files;
  for (const [key, file] of Object.entries(before)) {
    const services = file.services.filter((name) => kept.services.has(name));
    const entries = next.lastGoodNodeFiles.get(key) ?? [];
    const isKept = services.length > 0 || entries.some((name) => kept.nodes.has(name));
    if (!isKept || files[key]?.blob === file.blob) continue;
    files[files[key] ? keptKey(pathOfKey(key), file.blob) : key] = { ...file, services };
  }
  return files;
}

function shorten(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
