/** Counts what clients do wrong, and says it at most once a minute per client. */
const period = 60_000;
const mostClients = 1_000;

export interface Notices {
  note(client: string, what: string): void;
}

export function createNotices(say: (client: string, what: string, times: number) => void, mono: () => number): Notices {
  const seen = new Map<string, { since: number; times: number }>();
  return {
    note(client, what) {
      const now = mono();
      const entry = seen.get(client);
      if (entry && now - entry.since < period) {
        entry.times += 1;
        return;
      }
      // Addresses of strangers must not fill the memory.
      if (seen.size >= mostClients) seen.clear();
      seen.set(client, { since: now, times: 0 });
      say(client, what, (entry?.times ?? 0) + 1);
    },
  };
}
