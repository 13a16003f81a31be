/** Exit codes: documented, tested, and the same for every command. */
import type { Problem, ProblemCode } from '../schemas/problem.ts';

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  timedOut: 3,
  refused: 4,
  unreachable: 5,
  rolledBack: 6,
  /** A signal of the user ended the command (Ctrl-C). */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Codes of `oakctl plan`, as of `diff`: 0 same, 1 differs, 2 failed. */
export const planExitCodes = { same: 0, differs: 1, failed: 2 } as const;

const byProblem: Partial<Record<ProblemCode, ExitCode>> = {
  USAGE: exitCodes.usage,
  BAD_REQUEST: exitCodes.usage,
  TIMED_OUT: exitCodes.timedOut,
  REFUSED: exitCodes.refused,
  OWNED_BY_GIT: exitCodes.refused,
  OWNED_DIRECTLY: exitCodes.refused,
  UNAUTHORIZED: exitCodes.refused,
  FORBIDDEN: exitCodes.refused,
  TOO_MANY: exitCodes.refused,
  REVOKED: exitCodes.refused,
  TLS_REQUIRED: exitCodes.refused,
  TLS_INVALID: exitCodes.refused,
  UNREACHABLE: exitCodes.unreachable,
  UNAVAILABLE: exitCodes.unreachable,
};

/** The exit code of a failure: that of its first error; a list of warnings only counts as failed too. */
export function exitCodeOf(problems: readonly Problem[]): ExitCode {
  const first = problems.find((p) => p.severity !== 'warning');
  return (first && byProblem[first.code]) ?? exitCodes.failed;
}
