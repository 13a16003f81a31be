/**
 * The office: on a broker that is not its own, a reconciler is not alone by itself. It announces itself, yields to one that runs
 * or to a candidate with a smaller `by`, and runs once it has heard neither for three beats. Two that run by mistake hear each other:
 * the one whose pair is lower ends. Nothing here keeps agents from harm (fences and signatures do); it keeps reconcilers from noise.
 */
import type { OfficeMessage } from '../../schemas/messages.ts';
import type { Mono } from '../../schemas/ports.ts';

/** What somebody said of himself. `own`: signed with the key of this cluster. */
export type Claim = Omit<OfficeMessage, 'v' | 'kid' | 'sig'> & { readonly own: boolean };

export interface Office {
  readonly by: string;
  readonly user: string;
  readonly phase: 'away' | 'candidate' | 'running' | 'ended';
  /** Ours; above that of everybody who ran before us, once we run. */
  readonly epoch: number;
  /** The highest that another of this cluster had. */
  readonly highest: number;
  /** This process has run. */
  readonly ran: boolean;
  /** As far as we know nobody ran after this process, or after the one before it on the same records. */
  readonly held: boolean;
  /** Connections so far. */
  readonly session: number;
  /** When a candidate runs, unless it hears better. */
  readonly runsAt: Mono;
  /** Who runs, as a candidate heard it. */
  readonly holder?: Claim;
  /** Others with our user name, by `by`, with their session as first seen. One is connected at a time: they are gone, or they take turns with us. */
  readonly twins: ReadonlyMap<string, number>;
}

export type Effect =
  /** Say who we are now. */
  | { readonly kind: 'announce' }
  /** Begin, or go on, with `office.epoch`. */
  | { readonly kind: 'run' }
  /** Another one runs: we wait for it. */
  | { readonly kind: 'stand_by'; readonly claim: Claim }
  /** We run, and hear one that does not. */
  | { readonly kind: 'heard'; readonly claim: Claim }
  /** Going on would do harm. */
  | { readonly kind: 'end'; readonly claim: Claim; readonly why: 'key' | 'user' | 'running' };

export interface Next {
  readonly office: Office;
  readonly effects: readonly Effect[];
}

/** ms between two messages of ours. */
export const officeBeat = 5_000;
const silentBeats = 3;
/** ms that the row of another one may take to arrive after a connect, for who held the office before. */
export const lookFirst = 1_000;

/** Before the first connect. `held`: the last to run was a process on the same records, or the cluster is new. */
export function openOffice(me: Pick<Office, 'by' | 'user' | 'epoch' | 'held'>): Office {
  return { ...me, phase: 'away', highest: 0, ran: false, session: 0, runsAt: 0 as Mono, twins: new Map() };
}

/** The connection stands. Also who ran before is a candidate first: somebody may have run meanwhile. */
export function connected({ holder: _holder, ...office }: Office, now: Mono): Next {
  if (office.phase === 'ended') return { office, effects: [] };
  const wait = office.held ? lookFirst : silentBeats * officeBeat;
  const next: Office = { ...office, phase: 'candidate', session: office.session + 1, runsAt: (now + wait) as Mono };
  return { office: next, effects: [{ kind: 'announce' }] };
}

export function disconnected(office: Office): Office {
  return office.phase === 'ended' ? office : { ...office, phase: 'away' };
}

/** Time passed. A candidate that has waited long enough runs. */
export function waited(office: Office, now: Mono): Next {
  if (office.phase !== 'candidate' || now < office.runsAt) return { office, effects: [] };
  const { holder: _holder, ...rest } = office;
  const epoch = office.highest >= office.epoch ? office.highest + 1 : office.epoch;
  return { office: { ...rest, phase: 'running', ran: true, held: true, epoch }, effects: [{ kind: 'run' }] };
}

/** A claim arrived. With `retained` it is what the row holds: that it was said, not that who said it lives. */
export function heard(office: Office, claim: Claim, retained: boolean, now: Mono): Next {
  if (office.phase === 'away' || office.phase === 'ended') return { office, effects: [] };
  if (claim.by === office.by) return { office: office.held && retained ? soon(office, now) : office, effects: [] };
  const known = claim.own ? { ...office, highest: Math.max(office.highest, claim.epoch) } : office;
  if (claim.own && claim.user === office.user) return heardTwin(known, claim, now);
  if (retained) return heardRow(known, claim, now);
  return office.phase === 'running' ? heardWhileRunning(known, claim) : heardAsCandidate(known, claim, now);
}

/** May changes be made here: this process runs the cluster, or did and has not heard of another one. */
export function mayChange({ phase, ran, held }: Office): boolean {
  return phase !== 'ended' && ran && held;
}

/** Of two that run, the higher pair goes on; of one epoch, the smaller `by`. */
function precedes(claim: Pick<Claim, 'epoch' | 'by'>, office: Office): boolean {
  return claim.epoch > office.epoch || (claim.epoch === office.epoch && claim.by < office.by);
}

function soon(office: Office, now: Mono): Office {
  return office.phase === 'candidate' ? { ...office, runsAt: Math.min(office.runsAt, now) as Mono } : office;
}

function end(office: Office, claim: Claim, why: 'key' | 'user' | 'running'): Next {
  return { office: { ...office, phase: 'ended', held: false }, effects: [{ kind: 'end', claim, why }] };
}

/**
 * Our user name, another process: gone before us, or taking turns with us, because the broker lets only one of the two be connected.
 * It lives if it came, or came back, after we were connected for the first time.
 */
function heardTwin(office: Office, claim: Claim, now: Mono): Next {
  const before = office.twins.get(claim.by);
  const lives = office.session > 1 && (before === undefined || claim.session > before);
  if (lives && (!office.ran || (claim.ran && precedes(claim, office)))) return end(office, claim, 'user');
  const twins = before === undefined ? new Map(office.twins).set(claim.by, claim.session) : office.twins;
  const next = { ...office, twins };
  return { office: office.held ? soon(next, now) : next, effects: [] };
}

/** Somebody else ran, or left, while we were not there. */
function heardRow(office: Office, claim: Claim, now: Mono): Next {
  if (office.phase !== 'candidate' || claim.state === 'candidate') return { office, effects: [] };
  return { office: { ...office, held: false, runsAt: patient(claim, now) }, effects: [] };
}

function heardWhileRunning(office: Office, claim: Claim): Next {
  const effects: readonly Effect[] = [{ kind: 'announce' }, { kind: 'heard', claim }];
  if (claim.state !== 'running') return { office, effects };
  if (claim.own && precedes(claim, office)) return end(office, claim, 'running');
  // Two keys cannot judge each other: both go on, and both say so. An answer to each would never end.
  return { office, effects: claim.own ? effects : effects.slice(1) };
}

function heardAsCandidate(office: Office, claim: Claim, now: Mono): Next {
  if (claim.state === 'running') {
    if (!claim.own) return end(office, claim, 'key');
    if (office.ran)
      return precedes(claim, office) ? end(office, claim, 'running') : { office: soon(office, now), effects: [] };
    const isNew = office.holder?.by !== claim.by;
    const next = { ...office, held: false, holder: claim, runsAt: patient(claim, now) };
    return { office: next, effects: isNew ? [{ kind: 'stand_by', claim }] : [] };
  }
  const yields = claim.state === 'candidate' && !office.held && claim.by < office.by;
  return { office: yields ? { ...office, runsAt: patient(claim, now) } : office, effects: [] };
}

function patient(claim: Claim, now: Mono): Mono {
  return (now + silentBeats * claim.beat) as Mono;
}
