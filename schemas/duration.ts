/** Times as users write them. */
import { Type } from 'typebox';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Longest time that means anything here: a year. */
const longest = 365 * 86_400_000;

/** ms for which something may hold that somebody asked for. */
export const holdLimits = { minimum: 1_000, maximum: 30 * 86_400_000 } as const;

/** `10s`, `500ms`, `5m`, `2h`, `1d` or a number of ms, as whole milliseconds; undefined for anything else, and over a year. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value <= longest ? value : undefined;
  if (typeof value !== 'string' || value.length > 16) return undefined;
  const match = /^([0-9]{1,12})(ms|s|m|h|d)?$/.exec(value.trim());
  if (!match?.[1]) return undefined;
  const ms = Number(match[1]) * (units[match[2] ?? 'ms'] ?? 1);
  return ms <= longest ? ms : undefined;
}

/** The shortest way to write a time: `90s`, `1500ms`. Parses back to the same. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = units[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** Schema of a time. */
export const durationSchema = (description: string) =>
  Type.Union([Type.Integer({ minimum: 0, maximum: longest }), Type.String({ pattern: '^[0-9]{1,12}(ms|s|m|h|d)?$' })], {
    description: `${description} (\`500ms\`, \`10s\`, \`5m\`, \`2h\`, or a number of ms)`,
    errorMessage: 'must be a time like 10s or 500ms',
  });
