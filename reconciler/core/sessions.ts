/**
 * Which agent speaks for a node. Every agent process has a session of its own, and a process that ended never speaks again: a
 * session that returns after another one took its place belongs to a second agent that is alive, with the same identity.
 */
import type { Mono } from '../../schemas/ports.ts';

/** The sessions of one node. */
export interface Sessions {
  readonly current: string;
  /** Those that another one took the place of, with when they last did speak. The oldest are forgotten. */
  readonly former: ReadonlyMap<string, Mono>;
  /** When sessions returned, within the window. */
  readonly returns: readonly Mono[];
}

/** Returns within this many ms count together. */
const window = 60_000;
/** One return may be a message that was overtaken; this many within the window are two agents. */
const leastReturns = 2;
/** Longer than an agent's longest back-off: it is recognised when it comes back. ms. */
const memory = 300_000;
const mostFormer = 8;

/** The node spoke. `contested`: two agents take turns. */
export function hearSession(
  known: Sessions | undefined,
  session: string,
  at: Mono,
): { readonly sessions: Sessions; readonly contested: boolean } {
  if (known === undefined) return { sessions: { current: session, former: new Map(), returns: [] }, contested: false };
  if (known.current === session) return { sessions: known, contested: false };
  const isBack = known.former.has(session);
  const former = [...known.former, [known.current, at] as const].filter(
    ([name, last]) => name !== session && at - last <= memory,
  );
  const returns = [...known.returns.filter((time) => at - time <= window), ...(isBack ? [at] : [])];
  return {
    sessions: { current: session, former: new Map(former.slice(-mostFormer)), returns },
    contested: isBack && returns.length >= leastReturns,
  };
}
