import { describe, expect, it } from 'vitest';
import { judge } from '../../../../cli/services/outcome.ts';
import { checkRestarted } from '../../../../cli/services/restarted.ts';
import { fakeInstance, fakeService } from '../../../support/fake-control-plane.ts';

const name = 'shop.default.web.default';
const digest = `1:${'0'.repeat(64)}`;
const instances = [0, 1].map((slot) => `${name}.instance.${slot}`);
const answer = { service: name, digest, changed: true, instances, after: '3.9' };
const outcomeOf = (...copies: string[]) =>
  judge(
    { name, digest },
    {
      ...fakeService(name),
      instances: copies.map((copy, slot) => ({ ...fakeInstance(`${name}.instance.${slot}`), copy })),
    },
  );

describe('a restart', () => {
  it('has succeeded when every copy that was meant is a new one', () => {
    expect(checkRestarted(outcomeOf('3.10', '4.1'), answer).verdict).toBe('settled');
    expect(checkRestarted(outcomeOf('3.10', '3.2'), { ...answer, instances: instances.slice(0, 1) }).verdict).toBe(
      'settled',
    );
  });

  it('has failed when an old one goes on, though the service is settled', () => {
    expect(checkRestarted(outcomeOf('3.10', '3.9'), answer)).toMatchObject({
      verdict: 'failed',
      message: expect.stringContaining(`${name}.instance.1`),
    });
  });

  it('is no question for other verbs', () => {
    const { after: _none, ...scale } = answer;
    expect(checkRestarted(outcomeOf('3.1', '3.2'), scale).verdict).toBe('settled');
  });
});

describe('a service that is stopped', () => {
  const view = { ...fakeService(name), outcome: 'stopped' as const, message: 'stopped by ann until it is started' };
  it('is what was asked for, or in the way', () => {
    expect(judge({ name, digest }, view, 'stopped').verdict).toBe('settled');
    expect(judge({ name, digest }, view)).toMatchObject({ verdict: 'refused', message: view.message });
  });
});
