import { describe, expect, it } from 'vitest';
import { plain } from '../../../../cli/render/paint.ts';
import { differs, renderPlan } from '../../../../cli/render/plan.ts';
import type { PlanView } from '../../../../schemas/views.ts';

const nothing: PlanView = { changes: [], holds: [], settled: 3, problems: [] };
const service = 'shop.default.web.default';

describe('a plan', () => {
  it('without changes says what is as wanted', () => {
    expect(differs(nothing)).toBe(false);
    expect(renderPlan(nothing, plain)).toBe('Nothing to change: 3 instances as wanted.');
  });

  it('shows each change with its sign and node, and sums them up', () => {
    const plan: PlanView = {
      ...nothing,
      changes: [
        { action: 'start', subject: `${service}.instance.1`, node: 'worker-2', detail: 'missing' },
        { action: 'remove', subject: `${service}.instance.0`, detail: '' },
      ],
    };
    expect(differs(plan)).toBe(true);
    expect(renderPlan(plan, plain)).toBe(
      [
        `+ start ${service}.instance.1 on worker-2: missing`,
        `- remove ${service}.instance.0`,
        '1 start, 1 remove; 3 as wanted.',
      ].join('\n'),
    );
  });

  it('that only holds differs too, and names what frees it', () => {
    const hold = { id: 'abc', code: 'REMOVAL_GUARD', subject: 'source/main', message: '3 of 3 would go' } as const;
    const plan: PlanView = { ...nothing, holds: [hold] };
    expect(differs(plan)).toBe(true);
    expect(renderPlan(plan, plain)).toContain('to free it: oakctl approve abc');
  });
});
