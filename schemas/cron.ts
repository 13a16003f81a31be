/** Cron expressions: the only file that knows their library. Times are wall times in ms, to the second. */
import { Cron } from 'croner';
import type { Wall } from './ports.ts';
import type { Schedule } from './spec.ts';

/** The due times of a schedule. */
export interface DueTimes {
  /** The first one after this moment; undefined: there is none. */
  next(after: Wall): Wall | undefined;
  /** The last one in (after, until], and how many there were before it: counted up to {@link mostCounted}. */
  last(after: Wall, until: Wall): { readonly due: Wall; readonly earlier: number } | undefined;
}

/** More due times than this are not counted one by one: nobody waits for that. */
export const mostCounted = 100;

const fields = [
  { name: 'minute', range: '0-59' },
  { name: 'hour', range: '0-23' },
  { name: 'day of month', range: '1-31' },
  { name: 'month', range: '1-12 or JAN-DEC' },
  { name: 'day of week', range: '0-7 or SUN-SAT, 0 and 7 are Sunday' },
] as const;

const nicknames: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** What is wrong with an expression of five fields (or `@daily` and its like), by field; undefined when nothing is. */
export function cronFault(cron: string): string | undefined {
  if (cron.startsWith('@')) {
    if (Object.hasOwn(nicknames, cron)) return undefined;
    return `there is no \`${cron}\`: ${Object.keys(nicknames).join(', ')}`;
  }
  const words = cron.trim().split(/\s+/);
  if (words.length !== fields.length || words[0] === '') {
    return `\`${cron}\` has ${words[0] === '' ? 0 : words.length} fields, not 5: ${fields.map(({ name }) => name).join(', ')}`;
  }
  const bad = fields.findIndex((_, index) => !isField(words[index] ?? '', index));
  const field = fields[bad];
  if (field) return `${field.name} \`${words[bad]}\` is not in ${field.range}, a list, a range or a step of them`;
  return dueTimes({ cron, time_zone: 'UTC' }).next(0 as Wall) === undefined
    ? `\`${cron}\` never comes: no such date exists`
    : undefined;
}

/** Alone with four stars, so that it is known which one is wrong. */
function isField(word: string, index: number): boolean {
  // Digits, names, and the signs of every cron; what else the library knows means something else elsewhere.
  if (!/^[0-9A-Za-z*/,-]+$/.test(word) || /[LW]/i.test(word.replace(/JUL|WED/gi, ''))) return false;
  try {
    createCron(fields.map((_, at) => (at === index ? word : '*')).join(' '), 'UTC');
    return true;
  } catch {
    return false;
  }
}

/** Is it a name of the IANA database that this machine knows? */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Of a schedule that has no {@link cronFault}, in a zone that there is. */
export function dueTimes({ cron, time_zone }: Pick<Schedule, 'cron' | 'time_zone'>): DueTimes {
  const job = createCron(cron, time_zone);
  const next = (after: number): Wall | undefined => job.nextRun(new Date(after))?.getTime() as Wall | undefined;
  return {
    next,
    last(after, until) {
      const first = next(after);
      if (first === undefined || first > until) return undefined;
      let earlier = 0;
      let due = first;
      for (let later = next(due); later !== undefined && later <= until; later = next(due)) {
        due = later;
        earlier += 1;
        // Missed for months, minute by minute: how often does not matter any more.
        if (earlier === mostCounted) return { due: lastBetween(next, due, until), earlier };
      }
      return { due, earlier };
    },
  };
}

/** The last due time up to `until`, by halving; `due` is one. */
function lastBetween(next: (after: number) => Wall | undefined, due: Wall, until: Wall): Wall {
  let low = due;
  let high: number = until;
  for (;;) {
    const following = next(low);
    if (following === undefined || following > until) return low;
    const middle = next(low + Math.floor((high - low) / 2));
    if (middle !== undefined && middle <= until) low = middle;
    else {
      high = low + Math.floor((high - low) / 2);
      low = following;
    }
  }
}

function createCron(cron: string, time_zone: string): Cron {
  // When the clock is changed, a fixed time comes once a day; wildcards and steps mean every such minute that there is.
  const options = { timezone: time_zone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true } as const;
  return new Cron(nicknames[cron] ?? cron, options);
}
