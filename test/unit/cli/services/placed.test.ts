import { describe, expect, it } from 'vitest';
import { judge } from '../../../../cli/services/outcome.ts';
import { checkPlaced } from '../../../../cli/services/placed.ts';
import { fakeInstance, fakeService } from '../../../support/fake-control-plane.ts';

const name = 'shop.default.web.default';
const instance = `${name}.instance.0`;
const digest = `1:${'0'.repeat(64)}`;
const outcomeOn = (node: string) =>
  judge({ name, digest }, { ...fakeService(name), instances: [{ ...fakeInstance(instance), node }] });

describe('a move', () => {
  it('has succeeded when the instance is there', () => {
    expect(checkPlaced(outcomeOn('pi2'), { instance, node: 'pi2' }).verdict).toBe('settled');
    expect(checkPlaced(outcomeOn('pi3'), { instance }).verdict).toBe('settled');
  });

  it('has failed when the service is settled with the instance elsewhere, or without it', () => {
    expect(checkPlaced(outcomeOn('pi1'), { instance, node: 'pi2' })).toMatchObject({
      verdict: 'failed',
      message: expect.stringContaining('is on pi1, not on pi2'),
    });
    expect(checkPlaced(outcomeOn('pi1'), { instance: `${name}.instance.9`, node: 'pi1' }).verdict).toBe('failed');
  });

  it('is judged only at its end', () => {
    const waiting = { ...outcomeOn('pi1'), verdict: 'waiting' as const };
    expect(checkPlaced(waiting, { instance, node: 'pi2' })).toBe(waiting);
  });
});
