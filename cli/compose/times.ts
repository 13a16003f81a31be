/** Amounts and times as compose files write them. Pure. */
import { formatDuration } from '../../schemas/duration.ts';

const timeUnits: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const byteUnits: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const megabyte = 1_000_000;

/** `1m30s` or `1.5s` as descriptors write it; a number is seconds. undefined: it is no time. */
export function timeOf(value: unknown): string | undefined {
  const text = typeof value === 'number' ? `${value}s` : String(value);
  if (!/^([0-9.]+(us|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/([0-9.]+)(us|ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, amount, unit = 's']) => sum + Number(amount) * (timeUnits[unit] ?? 1), 0);
  return Number.isFinite(ms) ? formatDuration(Math.round(ms)) : undefined;
}

/** `512m`, `1gb` or bytes, in whole MB, upwards. undefined: it is no size. */
export function megabytesOf(value: unknown): number | undefined {
  const [, amount, unit = 'b'] = /^([0-9]+(?:\.[0-9]+)?)\s*([bkmgt])?i?b?$/i.exec(String(value)) ?? [];
  if (amount === undefined) return undefined;
  return Math.ceil((Number(amount) * (byteUnits[unit.toLowerCase()] ?? 1)) / megabyte);
}
