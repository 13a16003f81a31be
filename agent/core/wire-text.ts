/** Texts on their way out: none is cut in the middle of a character, and all of them together fit into one message. Pure. */
import type { CopyReport } from '../../schemas/messages.ts';

/** Longest report in bytes. Brokers cut the connection of whoever sends more than 256 KiB at once, each time anew. */
const longestReport = 240 * 1024;
/** Longest texts, in UTF-16 units, where a report would be longer: the first that is short enough. */
const shorter = [512, 128, 32, 0] as const;

/** The text, at most so many UTF-16 units of it. Readers refuse a whole message for half a character. */
export function wireText(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** The copies, with what is said for people as short as it has to be for one message. */
export function fitting(copies: readonly CopyReport[]): CopyReport[] {
  let found = [...copies];
  for (const most of shorter) {
    if (sizeOf(found) <= longestReport) return found;
    found = found.map((copy) => shortened(copy, most));
  }
  return found;
}

function shortened({ reason, drift, ...copy }: CopyReport, most: number): CopyReport {
  return {
    ...copy,
    ...(reason && { reason: { ...reason, message: wireText(reason.message, most) } }),
    ...(drift && { drift: { ...drift, ...(drift.what !== undefined && { what: wireText(drift.what, most) }) } }),
  };
}

/** Bytes of them as JSON, which is mostly ASCII. */
function sizeOf(copies: readonly CopyReport[]): number {
  const text = JSON.stringify(copies);
  return text.length * 3 <= longestReport ? text.length : new TextEncoder().encode(text).length;
}
