/** Sees every step of a simulated world: the trace and its hash, the last steps, and the first violation of each invariant. */
import { createHash } from 'node:crypto';

export interface Violation {
  readonly invariant: string;
  readonly what: string;
  /** Virtual ms. */
  readonly at: number;
  /** The last steps before it. */
  readonly steps: readonly string[];
}

export interface Witness {
  /** Something happened. `quiet`: too common to be among the last steps. `more` counts for the hash only. */
  saw(text: string, how?: { readonly quiet?: true; readonly more?: string }): void;
  /** An invariant does not hold. */
  broken(invariant: string, what: string): void;
  readonly violations: readonly Violation[];
  readonly steps: number;
  /** Of these, those that are not quiet: where there was none, all is as it was. */
  readonly loud: number;
  /** Of everything that happened so far; the same for the same seed. */
  hash(): string;
}

const remembered = 40;

export function createWitness(now: () => number, print?: (line: string) => void): Witness {
  const hash = createHash('sha256');
  const last: string[] = [];
  const violations: Violation[] = [];
  let steps = 0;
  let loud = 0;
  const seconds = (): string => (now() / 1000).toFixed(3).padStart(9);
  return {
    saw(text, { quiet, more = '' } = {}) {
      steps += 1;
      hash.update(`${now()} ${text} ${more}\n`);
      print?.(`${seconds()}  ${text}`);
      if (quiet) return;
      loud += 1;
      last.push(`${seconds()}  ${text}`);
      if (last.length > remembered) last.shift();
    },
    broken(invariant, what) {
      hash.update(`${now()} ${invariant} ${what}\n`);
      print?.(`${seconds()}  VIOLATION ${invariant}: ${what}`);
      if (violations.some((one) => one.invariant === invariant)) return;
      violations.push({ invariant, what, at: now(), steps: [...last] });
    },
    violations,
    get steps() {
      return steps;
    },
    get loud() {
      return loud;
    },
    hash: () => hash.copy().digest('hex'),
  };
}
