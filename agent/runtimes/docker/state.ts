/**
 * What the engine lists, as copies. One list request answers everything: exit code, health and age stand in the status line
 * (`Up 5 seconds (healthy)`, `Exited (1) 2 minutes ago`), which saves an inspect per container. Pure.
 */
import { withPort } from '../../../schemas/addresses.ts';
import type { ActualCopy } from '../runtime.ts';
import { type Owner, ownership } from './labels.ts';

/** The part of a container summary that is read. */
export interface Summary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly State: string;
  readonly Status: string;
  readonly Ports: readonly { readonly IP?: string; readonly PublicPort?: number }[];
}

/** The part of an inspected container's state that is read, for engines whose status line reads otherwise. */
export interface InspectedState {
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly ExitCode: number;
  readonly Health?: { readonly Status: string; readonly Log?: readonly InspectedCheck[] | null } | undefined;
}

interface InspectedCheck {
  /** -1 for a check that was not started, or did not end in time. */
  readonly ExitCode: number;
  /** What the check wrote, or why the engine has no exit code. */
  readonly Output: string;
}

/** What a status line says. `since` in ms: exact to the second in the first minute, then rounded down to the engine's unit. */
export interface StatusLine {
  readonly exitCode?: number;
  readonly since?: number;
  readonly health?: NonNullable<ActualCopy['health']>;
}

/** A container that carries our labels: a copy of ours, or something else that does. */
export type Listed =
  | { readonly kind: 'copy'; readonly copy: ActualCopy; readonly complete: boolean }
  | { readonly kind: 'stranger'; readonly id: string; readonly name: string; readonly why: string };

/** Reads one summary. `complete` is false when the status line does not say all, and an inspect should fill in. */
export function readSummary(owner: Owner, summary: Summary): Listed {
  const owned = ownership(owner, summary.Names, summary.Labels);
  const name = (summary.Names[0] ?? summary.Id).replace(/^\//, '');
  if (owned.kind === 'stranger') return { kind: 'stranger', id: summary.Id, name, why: owned.why };
  const state = stateOf(summary.State);
  const isPaused = summary.State === 'paused';
  const line: StatusLine = state === 'created' ? {} : readStatusLine(summary.Status);
  const copy: ActualCopy = {
    runtime: 'docker',
    instance: owned.instance,
    copy: owned.copy,
    digest: owned.digest,
    state,
    handle: summary.Id,
    addresses: addressesOf(summary.Ports),
    ...line,
    ...(isPaused && { paused: true }),
  };
  // The line of what is paused says nothing of its health, and that of what is unhealthy not why.
  const complete =
    !isPaused &&
    line.health !== 'unhealthy' &&
    (state === 'created' || line.since !== undefined || summary.State !== state);
  return { kind: 'copy', copy, complete };
}

/** Fills in what a status line did not tell. `wall` is this machine's time in ms. */
export function withInspected(copy: ActualCopy, state: InspectedState, wall: number): ActualCopy {
  const at = Date.parse(copy.state === 'running' ? state.StartedAt : state.FinishedAt);
  const health = healthOf(state.Health?.Status ?? '');
  return {
    ...copy,
    // An engine writes the year 1 for "never".
    ...(at > 0 ? { since: Math.max(0, wall - at) } : {}),
    ...(copy.state === 'exited' ? { exitCode: state.ExitCode } : {}),
    ...(copy.state === 'running' && health ? { health } : {}),
    ...(copy.state === 'running' && health === 'unhealthy' && failedCheckOf(state.Health?.Log?.at(-1))),
  };
}

function failedCheckOf(last: InspectedCheck | undefined): Pick<ActualCopy, 'failedCheck'> {
  if (!last || last.ExitCode === 0) return {};
  if (last.ExitCode > 0) return { failedCheck: last.ExitCode };
  return { failedCheck: last.Output.startsWith('Health check exceeded timeout') ? 'timed_out' : 'not_started' };
}

/** Paused and restarting containers hold their resources: they run. What is being removed, or could not be, has ended. */
function stateOf(state: string): ActualCopy['state'] {
  if (state === 'created') return 'created';
  return state === 'running' || state === 'paused' || state === 'restarting' ? 'running' : 'exited';
}

/** Reads `Up <age>[ (<health>)]` and `Exited (<code>) <age> ago`; what it does not know is absent. */
export function readStatusLine(status: string): StatusLine {
  const exited = /^Exited \((-?\d+)\) (.+) ago$/.exec(status);
  if (exited?.[1] && exited[2]) return { exitCode: Number(exited[1]), ...ageOf(exited[2]) };
  const up = /^Up (.+?)(?: \((?:health: )?([A-Za-z]+)\))?(?: \(Paused\))?$/.exec(status);
  if (!up?.[1]) return {};
  const health = healthOf(up[2] ?? '');
  return { ...ageOf(up[1]), ...(health ? { health } : {}) };
}

function healthOf(word: string): ActualCopy['health'] {
  return word === 'starting' || word === 'healthy' || word === 'unhealthy' ? word : undefined;
}

const second = 1000;
const units: Readonly<Record<string, number>> = {
  second,
  minute: 60 * second,
  hour: 3600 * second,
  day: 86_400 * second,
  week: 7 * 86_400 * second,
  month: 30 * 86_400 * second,
  year: 365 * 86_400 * second,
};

function ageOf(text: string): { since?: number } {
  if (text === 'Less than a second') return { since: 0 };
  const match = /^(\d+|About an?) (second|minute|hour|day|week|month|year)s?$/.exec(text);
  const unit = match?.[2] && units[match[2]];
  if (!match?.[1] || !unit) return {};
  return { since: (match[1].startsWith('About') ? 1 : Number(match[1])) * unit };
}

function addressesOf(ports: Summary['Ports']): string[] {
  const published = ports.flatMap(({ IP, PublicPort }) => (IP && PublicPort ? [withPort(IP, PublicPort)] : []));
  return [...new Set(published)].sort();
}
