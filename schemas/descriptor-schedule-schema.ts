/** Schema of when a one-shot service runs. */
import { type Static, Type } from 'typebox';
import { closed, optional } from './descriptor-words.ts';
import { durationSchema } from './duration.ts';

const Detailed = Type.Object(
  {
    cron: Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly.',
    }),
    ...optional({
      time_zone: Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'Name of the IANA database, e.g. Europe/Berlin; default UTC.',
      }),
      concurrency: Type.Enum(['skip', 'replace'], {
        description:
          'When the run before still goes on: this one is skipped (default), or the one before is stopped for it.',
      }),
      starting_deadline: durationSchema('How late a run may start; default until the next one is due'),
      history: Type.Integer({ minimum: 1, maximum: 100, description: 'Ended runs that are remembered; default 10.' }),
    }),
  },
  closed,
);

/** A text, or a map: one schema of two types, so that what is wrong inside the map is said with its place. */
export const ScheduleField = Type.Unsafe<string | Static<typeof Detailed>>({
  ...Detailed,
  type: ['string', 'object'],
  minLength: 1,
  maxLength: 100,
  description: 'Repeats a one_shot service: a cron expression of five fields, or a map with more.',
});
