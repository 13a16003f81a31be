/** When a one-shot service runs, checked: the expression, the time zone, and that it is a job at all. */
import { cronFault, isTimeZone } from './cron.ts';
import type { Microservice } from './descriptor-schema.ts';
import { parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';
import type { Schedule } from './spec.ts';
import type { Path } from './yaml.ts';

/** Where a descriptor says nothing. */
const usual = { time_zone: 'UTC', concurrency: 'skip', history: 10 } as const;

/** The member `schedule` of a spec; none where none is written. */
export function toSchedule(
  { schedule: written, one_shot }: Microservice,
  path: Path,
  findings: Findings,
): { readonly schedule?: Schedule } {
  if (written === undefined) return {};
  const at = [...path, 'schedule'];
  const isText = typeof written === 'string';
  const given = isText ? { cron: written } : written;
  const of = (key: string): Path => (isText ? at : [...at, key]);
  if (!one_shot) {
    findings.error('DESCRIPTOR_INVALID', at, 'only a one_shot service has a schedule', 'one_shot: true');
  }
  const fault = cronFault(given.cron);
  if (fault) findings.error('DESCRIPTOR_INVALID', of('cron'), fault, '*/15 * * * * is every 15 minutes');
  const { time_zone = usual.time_zone } = given;
  if (!isTimeZone(time_zone)) {
    const message = `there is no time zone \`${time_zone}\``;
    findings.error('DESCRIPTOR_INVALID', of('time_zone'), message, 'a name like Europe/Berlin, or UTC');
  }
  const deadline = given.starting_deadline;
  const ms = deadline === undefined ? undefined : parseDuration(deadline);
  if (deadline !== undefined && ms === undefined) {
    findings.error('DESCRIPTOR_INVALID', of('starting_deadline'), `\`${deadline}\` is longer than a year`);
  }
  return {
    schedule: {
      cron: given.cron.trim().split(/\s+/).join(' '),
      time_zone,
      concurrency: given.concurrency ?? usual.concurrency,
      ...(ms === undefined ? {} : { starting_deadline: ms }),
      history: given.history ?? usual.history,
    },
  };
}
