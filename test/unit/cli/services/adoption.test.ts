import { describe, expect, it } from 'vitest';
import { decideAdoption, renumbered } from '../../../../cli/services/adoption.ts';
import { isProblemError, type Problem } from '../../../../schemas/problem.ts';
import type { InstanceView, OverrideView, ServiceView } from '../../../../schemas/views.ts';
import { fakeInstance, fakeService } from '../../../support/fake-control-plane.ts';

const web = 'shop.default.web.default';
const one = `${web}.instance.0`;
const by = { actor: 'ann', since: 1 } as const;
const scale: OverrideView = { ...by, id: 'a1', subject: web, kind: 'scale', change: '5 instances', replicas: 5 };
const stop: OverrideView = { ...by, id: 'b2', subject: web, kind: 'stop', change: 'stopped' };
const move: OverrideView = { ...by, id: 'c3', subject: one, kind: 'move', change: 'on pi2', node: 'pi2' };
const undelete: OverrideView = { ...by, id: 'd4', subject: web, kind: 'undelete', change: 'runs' };

const there: InstanceView = { ...fakeInstance(one), node: 'pi2', healthy: true };
const service = (overrides: readonly OverrideView[], more: Partial<ServiceView> = {}): ServiceView => ({
  ...fakeService(web),
  source: 'main',
  file: 'shop.yaml',
  line: 5,
  overrides,
  instances: [there],
  ...more,
});

function refusal(view: ServiceView, only?: string): Problem {
  try {
    decideAdoption(view, only);
  } catch (error) {
    if (isProblemError(error)) return error.problem;
    throw error;
  }
  throw new Error('it was taken');
}

describe('adopted is', () => {
  it.each([
    ['a scale', [scale], { kind: 'replicas', replicas: 5 }, [scale], []],
    ['a stop', [stop], { kind: 'replicas', replicas: 0 }, [stop], []],
    ['a stop before a scale', [scale, stop], { kind: 'replicas', replicas: 0 }, [stop], [scale]],
    ['a scale; what was moved stays anyway', [move, scale], { kind: 'replicas', replicas: 5 }, [scale], [move]],
    ['the move of the one instance', [move], { kind: 'node', node: 'pi2' }, [move], []],
  ])('%s', (_, overrides, write, adopted, ending) => {
    expect(decideAdoption(service(overrides))).toEqual({ write, adopted, ending });
  });

  it('one override, if no other would end unsaid', () => {
    expect(decideAdoption(service([move, scale]), 'a1')).toMatchObject({ adopted: [scale], ending: [move] });
    expect(refusal(service([scale, stop]), 'a1').message).toContain('the override b2 (stopped)');
    expect(refusal(service([scale, stop]), 'b2').hint).toContain(`oakctl adopt ${web}`);
    expect(refusal(service([scale, move]), 'c3').message).toContain('the override a1 (5 instances)');
    expect(refusal(service([scale]), 'b2')).toMatchObject({ code: 'NOT_FOUND' });
    expect(refusal(service([]), 'a1')).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('nothing, where nothing deviates', () => {
    expect(decideAdoption(service([]))).toBeUndefined();
    const healed = { kind: 'stopped', age: 1, healed: true } as const;
    expect(decideAdoption(service([], { instances: [{ ...there, drift: healed }] }))).toBeUndefined();
  });
});

it('instances beyond the number are replaced, unless it takes some away', () => {
  const numbered = (...slots: readonly number[]): ServiceView =>
    service([scale], { instances: slots.map((slot) => ({ ...there, name: `${web}.instance.${slot}`, slot })) });
  const replaced = (view: ServiceView): readonly string[] => renumbered(view, 5);
  expect(replaced(numbered(0, 1, 2, 3, 4))).toEqual([]);
  expect(replaced(numbered(0, 1, 2, 5, 7))).toEqual([`${web}.instance.5`, `${web}.instance.7`]);
  expect(replaced(numbered(0, 1, 2, 3, 4, 5))).toEqual([]);
  // The highest goes, and the one before it would have stayed.
  expect(replaced(numbered(0, 1, 2, 4, 6, 9))).toEqual([`${web}.instance.6`]);
});

describe('refused is', () => {
  it.each([
    ['what git removed', service([undelete, stop], { commit: 'a1b2' }), 'REFUSED', /git checkout a1b2 -- shop\.yaml/],
    ['a number of what has none', service([scale], { replicas: 'every' }), 'REFUSED', /overrides rm/],
    ['one instance of several', service([move], { replicas: 2, slots: 2 }), 'REFUSED', /stays where it is/],
    ['a move under way', service([move], { instances: [{ ...there, node: 'pi1' }] }), 'REFUSED', /oakctl why/],
    ['a scale beside one', service([scale, move], { instances: [{ ...there, node: 'pi1' }] }), 'REFUSED', /rm c3/],
    ['a move that is ill', service([move], { instances: [{ ...there, healthy: false }] }), 'REFUSED', /oakctl why/],
  ])('%s', (_, view, code, hint) => {
    expect(refusal(view)).toMatchObject({ code, hint: expect.stringMatching(hint) });
  });

  it('a scale of a reconciler that does not say the number', () => {
    const { replicas: _unsaid, ...older } = scale;
    expect(refusal(service([older])).hint).toContain(`oakctl scale ${web} <n> --commit`);
  });

  it('what was done by hand on a node, on any copy, unless it is healed', () => {
    const changed = { kind: 'changed', what: 'memory 64 MB', age: 1, healed: false } as const;
    expect(refusal(service([], { instances: [{ ...there, drift: changed }] }))).toMatchObject({
      code: 'REFUSED',
      subject: one,
      file: 'shop.yaml',
      line: 5,
      message: expect.stringContaining('pi2 is not adopted (memory 64 MB)'),
      hint: expect.stringContaining('limits'),
    });
    const stopped = { kind: 'stopped', age: 1, healed: false } as const;
    const { name: _name, service: _service, slot: _slot, ...copy } = there;
    const others = [{ ...copy, node: 'pi7', drift: stopped }];
    expect(refusal(service([], { instances: [{ ...there, others }] }))).toMatchObject({
      message: expect.stringContaining('pi7'),
      hint: expect.stringContaining(`oakctl stop ${web} --commit`),
    });
  });
});
