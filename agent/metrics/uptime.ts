/** Time since the machine booted. */
import { readFileSync } from 'node:fs';

/**
 * ms since boot, sleep of the machine included (CLOCK_BOOTTIME), in steps of 10 ms. Where the system does not tell: ms of a clock
 * that may stand still while the machine sleeps.
 */
export function createUptime(file = '/proc/uptime'): () => number {
  /** How far the other clock is behind, as of the last time that the system told. */
  let ahead = 0;
  return () => {
    const other = Math.round(performance.now());
    const told = read(file);
    if (told !== undefined) ahead = told - other;
    return other + ahead;
  };
}

function read(file: string): number | undefined {
  try {
    const ms = Math.round(Number(readFileSync(file, 'utf8').split(' ')[0]) * 1000);
    return Number.isFinite(ms) && ms > 0 ? ms : undefined;
  } catch {
    return undefined;
  }
}
