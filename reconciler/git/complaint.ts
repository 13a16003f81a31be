/** What git and ssh complain about, as far as it matters what it is. Pure. */

/** `shallow`: the server has no means to give a part of the history. */
export type Complaint = 'denied' | 'limited' | 'unknown_commit' | 'disk' | 'shallow' | 'other';

const meanings: readonly (readonly [Complaint, RegExp])[] = [
  ['disk', /no space left on device|disk quota exceeded|read-only file system/i],
  ['shallow', /does not support (shallow|--depth)|shallow capabilit/i],
  ['unknown_commit', /not our ref|unadvertised object|remote ref/i],
  ['limited', /returned error: 429|rate limit|too many requests/i],
  [
    'denied',
    /returned error: 40[13]|authentication failed|could not read (username|password)|permission denied \(|host key verification failed|no .* host key is known|invalid credentials|repository access denied/i,
  ],
];

export function meaningOf(complaint: string): Complaint {
  return meanings.find(([, pattern]) => pattern.test(complaint))?.[0] ?? 'other';
}

const refusals =
  /\[(remote )?rejected\]|hook declined|denying |non-fast-forward|protected (branch|ref)|not allowed to (push|write)|permission to .* denied|permission denied for writing|write access .* not granted|marked as read.only|insufficient permission|unpacker error/i;

/** Did the remote answer, and not want what was pushed: by a rule of the ref, by a hook, or from this login? */
export function isPushRefusal(complaint: string): boolean {
  return refusals.test(complaint);
}

const progress = /^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Total|From|To|\*) ?/;

/** The last lines are where git and ssh say why; control characters have no place in a message. */
export function oneLine(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}/gu, ' ').trim())
    .filter((line) => line !== '' && !progress.test(line));
  return lines.slice(-4).join('; ').slice(-500);
}

const unitBytes = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Bytes that came so far, as the progress of a transfer says; 0 when it says nothing of it. */
export function receivedBytes(progressText: string): number {
  const found = [...progressText.matchAll(/Receiving objects: .*?, ([\d.]+) (bytes|KiB|MiB|GiB)/g)].at(-1);
  const [, amount, unit] = found ?? [];
  return amount === undefined ? 0 : Number(amount) * unitBytes[unit as keyof typeof unitBytes];
}

/** Longest that a server may ask to be left alone. */
const longestRest = 3_600_000;

/** ms for which the server wants no further request, from the headers in a trace of libcurl; undefined: it did not say. */
export function retryAfter(trace: string, now: number): number | undefined {
  const text = [...trace.matchAll(/Recv header: retry-after: *([^\r\n]{1,64})/gi)].at(-1)?.[1]?.trim();
  if (text === undefined) return undefined;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.min(longestRest, Math.max(0, wait)) : undefined;
}
