import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import { toDescriptor } from '../../../schemas/descriptor-write.ts';
import { errorsOf, specOf, text } from './descriptor-support.ts';

const job = (schedule: unknown) => ({ one_shot: true, schedule });

describe('the schedule of a job', () => {
  it('is an expression, with the defaults filled in', () => {
    expect(specOf(job(' */15  * * * * ')).schedule).toEqual({
      cron: '*/15 * * * *',
      time_zone: 'UTC',
      concurrency: 'skip',
      history: 10,
    });
    expect(specOf({ one_shot: true })).not.toHaveProperty('schedule');
  });

  it('is a map with more, and reads back', () => {
    const schedule = {
      cron: '0 3 * * *',
      time_zone: 'Europe/Berlin',
      concurrency: 'replace',
      starting_deadline: '1h',
      history: 3,
    };
    const spec = specOf(job(schedule));
    expect(spec.schedule).toEqual({ ...schedule, starting_deadline: 3_600_000 });
    const again = parseDescriptor(JSON.stringify(toDescriptor([{ spec }])), 'b.yaml');
    expect(again.services[0]?.spec).toEqual(spec);
  });

  it('is not in the digest: a change of it restarts nothing', () => {
    expect(specOf(job('@daily')).digest).toBe(specOf(job('@hourly')).digest);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a bad field', job('61 * * * *'), 'minute `61`'],
    ['a bad field of a map', job({ cron: '* 25 * * *' }), 'hour `25`'],
    ['no cron', job({ time_zone: 'UTC' }), '`cron` is missing'],
    ['no such date', job('0 0 31 2 *'), 'never comes'],
    ['no such zone', job({ cron: '@daily', time_zone: 'Mars/Phobos' }), 'there is no time zone `Mars/Phobos`'],
    ['an unknown key', job({ cron: '@daily', timezone: 'UTC' }), 'nothing knows the key `timezone`'],
    ['another concurrency', job({ cron: '@daily', concurrency: 'allow' }), 'must be one of skip, replace'],
    ['no history', job({ cron: '@daily', history: 0 }), '>= 1'],
    ['a number', job(5), 'must be'],
    ['a service that goes on', { schedule: '@daily' }, 'only a one_shot service has a schedule'],
  ])('%s is an error', (_, service, message) => {
    expect(
      errorsOf(service)
        .map((problem) => problem.message)
        .join(),
    ).toContain(message);
  });

  it('says file and line', () => {
    const yaml = `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: nginx
        one_shot: true
        schedule:
          cron: "@daily"
          time_zone: Europe/Berlim
`;
    expect(parseDescriptor(yaml, 'a.yaml').problems).toMatchObject([
      { file: 'a.yaml', line: 9, code: 'DESCRIPTOR_INVALID' },
    ]);
    const bad = text(job('61 * * * *'));
    expect(parseDescriptor(bad, 'b.json').problems).toMatchObject([{ file: 'b.json', line: 1 }]);
  });
});
