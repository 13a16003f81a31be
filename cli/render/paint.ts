/** Colours by meaning. Rendering takes a Paint, so that the same text can be tested without escapes. */
import { Chalk } from 'chalk';

export interface Paint {
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
}

const same = (text: string): string => text;

/** No escapes at all. */
export const plain: Paint = { good: same, warn: same, bad: same, dim: same, strong: same };

/** Colours for a terminal. */
export function createPaint(colour: boolean): Paint {
  if (!colour) return plain;
  const chalk = new Chalk({ level: 1 });
  return { good: chalk.green, warn: chalk.yellow, bad: chalk.red, dim: chalk.dim, strong: chalk.bold };
}

/** Colour only on a terminal, and never against NO_COLOR (any value but empty), TERM=dumb or --no-color. */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
  noColour: boolean,
): boolean {
  return !noColour && !env['NO_COLOR'] && env['TERM'] !== 'dumb' && stream.isTTY === true;
}

const goodWords = new Set([
  'settled',
  'running',
  'completed',
  'online',
  'synced',
  'healthy',
  'up',
  'loaded',
  'present',
  'done',
]);
const badWords = new Set(['failed', 'crash_loop', 'lost', 'unhealthy', 'invalid', 'unreachable', 'revoked', 'down']);

/** Paints a state word by what it means. */
export function paintState(paint: Paint, word: string): string {
  if (goodWords.has(word)) return paint.good(word);
  return badWords.has(word) ? paint.bad(word) : paint.warn(word);
}
