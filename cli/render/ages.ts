/** Durations for people. */

const units = [
  { size: 86_400_000, name: 'd' },
  { size: 3_600_000, name: 'h' },
  { size: 60_000, name: 'm' },
  { size: 1000, name: 's' },
] as const;

/** The largest whole unit: `4s`, `3h`, `2d`; below a second `0s`; `-` when absent. Input in ms. */
export function age(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return '-';
  const unit = units.find(({ size }) => ms >= size);
  return unit ? `${Math.floor(ms / unit.size)}${unit.name}` : '0s';
}

/** What is left of a time, rounded up, so that two hours are two hours: `40s`, `52m`, `1h 30m`, `2d 4h`. Input in ms. */
export function left(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.ceil(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes}m`;
  if (hours < 24) return both([hours, 'h'], [minutes % 60, 'm']);
  return both([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

function both(...parts: readonly (readonly [number, string])[]): string {
  return parts.flatMap(([amount, unit]) => (amount === 0 ? [] : `${amount}${unit}`)).join(' ');
}

/** How long something took: `240 ms`, `3.2 s`, `2 min 5 s`. Input in ms. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
