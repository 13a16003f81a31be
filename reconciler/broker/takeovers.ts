/**
 * Who may be connected as a node when two want to. MQTT gives the connection to the newest, so that two agents with one identity
 * would throw each other out for ever; after a few times the elder is kept and the younger is turned away, until it stays away.
 */
export interface Takeovers {
  /**
   * A client with the right password comes while another with its id is connected. `newest`: it takes over. `elder`: it is turned
   * away; `tell` is true where that is news.
   */
  judge(client: string): { readonly stays: 'newest' | 'elder'; readonly tell: boolean };
}

/** Take-overs within the window that a bad network explains. */
const mostTakeovers = 3;
const window = 60_000;
/** ms without an attempt after which the younger is gone. Longer than an agent's longest back-off. */
const calmAfter = 120_000;
const tellEvery = 5_000;

interface Entry {
  times: readonly number[];
  contestedUntil: number;
  toldAt: number;
}

/** `mono`: ms on a clock that never jumps. Holds as many entries as there are nodes with credentials. */
export function createTakeovers(mono: () => number): Takeovers {
  const entries = new Map<string, Entry>();
  return {
    judge(client) {
      const now = mono();
      const entry = entries.get(client) ?? {
        times: [],
        contestedUntil: Number.NEGATIVE_INFINITY,
        toldAt: Number.NEGATIVE_INFINITY,
      };
      entries.set(client, entry);
      if (entry.contestedUntil <= now) {
        entry.times = [...entry.times.filter((time) => now - time < window), now];
        if (entry.times.length <= mostTakeovers) return { stays: 'newest', tell: false };
        entry.times = [];
      }
      entry.contestedUntil = now + calmAfter;
      const tell = now - entry.toldAt >= tellEvery;
      if (tell) entry.toldAt = now;
      return { stays: 'elder', tell };
    },
  };
}
