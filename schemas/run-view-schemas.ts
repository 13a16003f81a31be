/** Schedules of jobs and their runs, as view-schemas.ts has the other views. */
import { Type } from 'typebox';

const wall = (description = 'ms since 1970') => Type.Number({ description });
const count = (description: string) => Type.Integer({ minimum: 0, description });

const Run = Type.Object({
  due: wall('when it was due, or asked for: ms since 1970'),
  cause: Type.Enum(['due', 'catch_up', 'asked']),
  started: wall(),
  digest: Type.String(),
  skipped: Type.Optional(count('due times that were skipped while it went on')),
  ended: Type.Optional(wall('ms since 1970; absent while it is under way')),
  outcome: Type.Optional(
    Type.Enum(['completed', 'failed', 'lost', 'missed', 'replaced', 'stopped', 'unconfirmed'], {
      description: 'a later version may add some',
    }),
  ),
  exit_code: Type.Optional(Type.Integer()),
  node: Type.Optional(Type.String({ description: 'where it ended' })),
  reason: Type.Optional(Type.String()),
});

export const ScheduleSchema = Type.Object({
  cron: Type.String(),
  time_zone: Type.String(),
  concurrency: Type.Enum(['skip', 'replace']),
  next: Type.Optional(wall('the next due time, ms since 1970; absent while the service is stopped')),
  current: Type.Optional(Run),
  runs: Type.Array(Run, { description: 'ended ones, the last first' }),
  skipped: count('due times that had no run'),
});
