/**
 * What holds between versions. Programs of one version and of the one before or after it work together: messages carry the version
 * of the wire in `v`, what is unknown in one is passed over, and a change that readers cannot pass over comes in two releases: the
 * first one reads it, the next one writes it. Files carry a version of their own.
 */
import { messageVersion } from './messages.ts';
import { type Problem, problem } from './problem.ts';

/** Versions of the wire that somebody reads. */
export interface WireVersions {
  readonly least: number;
  readonly most: number;
}

/** Those that are read here; {@link messageVersion} is written. */
export const wireVersions: WireVersions = { least: 1, most: messageVersion };

/** The version of a text that was refused, if that is why: what is not an object with a `v` is merely broken. */
export function foreignVersion(text: string, { least, most }: WireVersions = wireVersions): number | undefined {
  const v = versionIn(text);
  return v !== undefined && (v < least || v > most) ? v : undefined;
}

function versionIn(text: string): number | undefined {
  try {
    const value = JSON.parse(text) as { readonly v?: unknown } | null;
    const v = typeof value === 'object' && value !== null ? value.v : undefined;
    return Number.isSafeInteger(v) ? (v as number) : undefined;
  } catch {
    return undefined;
  }
}

/** VERSION_SKEW: `who` (an agent, the reconciler) speaks another version of the wire than `self` reads. */
export function wireProblem(who: string, v: number, self: string): Problem {
  const { least, most } = wireVersions;
  const read = least === most ? `${most}` : `${least} to ${most}`;
  const late = v > most ? self : who;
  return problem('VERSION_SKEW', `${who} speaks version ${v} of the wire, and ${self} reads ${read}`, {
    hint: `upgrade ${late}, one version after the other; what runs goes on meanwhile`,
    disposition: 'wait',
  });
}

/** VERSION_SKEW for a state file of a later version: it is left alone. Undefined for any other text. */
export function laterFile(subject: string, text: string, own: number): Problem | undefined {
  const v = foreignVersion(text, { least: 0, most: own });
  if (v === undefined) return undefined;
  return problem('VERSION_SKEW', `a later oakctl wrote it (version ${v}; this one reads ${own})`, {
    subject,
    hint: 'go back to that version of oakctl, or restore what was there before the upgrade',
  });
}

/** How a version of oakctl stands to another one; undefined when they are the same, or cannot be told. */
export function versionAge(version: string, than: string): 'older' | 'newer' | undefined {
  const [a, b] = [numbersOf(version), numbersOf(than)];
  if (!a || !b) return undefined;
  const at = a.findIndex((number, index) => number !== b[index]);
  return at < 0 ? undefined : (a[at] ?? 0) < (b[at] ?? 0) ? 'older' : 'newer';
}

function numbersOf(version: string): readonly number[] | undefined {
  const [, ...numbers] = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})/.exec(version) ?? [];
  return numbers.length === 3 ? numbers.map(Number) : undefined;
}
