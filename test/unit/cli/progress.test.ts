import { describe, expect, it } from 'vitest';
import { createProgress } from '../../../cli/progress.ts';
import { plain } from '../../../cli/render/paint.ts';
import { progressLines, renderOutcomes } from '../../../cli/render/progress.ts';
import type { ServiceOutcome } from '../../../cli/services/outcome.ts';
import type { InstanceView } from '../../../schemas/views.ts';
import { fakeInstance, fakeService } from '../../support/fake-control-plane.ts';

const name = 'shop.default.web.default';

function outcome(verdict: ServiceOutcome['verdict'], instances: readonly InstanceView[]): ServiceOutcome {
  const view = { ...fakeService(name), instances, slots: 2, message: 'waits' };
  return { name, digest: view.digest, verdict, message: view.message, view };
}

const sick: InstanceView = {
  ...fakeInstance(`${name}.instance.1`),
  healthy: false,
  status: 'failed',
  node: 'worker-2',
  reason: { code: 'IMAGE_NOT_FOUND', message: 'no image x' },
};

describe('progress', () => {
  it('has one line per instance that says what it waits for', () => {
    const lines = progressLines([outcome('waiting', [fakeInstance(`${name}.instance.0`), sick])], plain);
    expect(lines.map(({ text }) => text)).toEqual([
      `${name}.instance.0  healthy`,
      `${name}.instance.1  failed on worker-2  IMAGE_NOT_FOUND: no image x`,
    ]);
  });

  it('says of an instance that is healthy why its next version does not come, and takes that for the sign of life', () => {
    const held = `${name}.instance.0`;
    const hold = { subject: held, code: 'COPY_FAILED' as const, message: 'failed: no image x' };
    const old = outcome('waiting', [fakeInstance(held), fakeInstance(`${name}.instance.1`)]);
    const view = { ...fakeService(name), ...old.view, holds: [hold] };
    const lines = progressLines([{ ...old, view }], plain);
    expect(lines.map(({ text }) => text)).toEqual([
      `${held}  healthy  COPY_FAILED: failed: no image x`,
      `${name}.instance.1  healthy`,
    ]);
    const written: string[] = [];
    let now = 0;
    const progress = createProgress({ write: (text) => written.push(text) }, () => now);
    progress.show(lines);
    now = 16_000;
    progress.show(lines);
    expect(written.at(-1)).toBe(`still waiting: ${lines[0]?.text}\n`);
  });

  it('without a terminal writes changes only, and a sign of life', () => {
    const written: string[] = [];
    let now = 0;
    const progress = createProgress({ write: (text) => written.push(text) }, () => now);
    progress.show([{ key: 'a', text: 'a pulling' }]);
    progress.show([{ key: 'a', text: 'a pulling' }]);
    expect(written).toEqual(['a pulling\n']);
    now = 16_000;
    progress.show([{ key: 'a', text: 'a pulling' }]);
    expect(written.at(-1)).toBe('still waiting: a pulling\n');
  });

  it('on a terminal draws over what it drew, and no line wraps', () => {
    const written: string[] = [];
    const terminal = { isTTY: true, columns: 10, rows: 24, write: (text: string) => written.push(text) };
    const progress = createProgress(terminal);
    progress.show([
      { key: 'a', text: 'a' },
      { key: 'b', text: 'x'.repeat(50) },
    ]);
    progress.show([{ key: 'a', text: 'c' }]);
    expect(written[0]).toContain('xxxxxxxx…\n');
    expect(written[1]?.startsWith('\u001b[2A')).toBe(true);
  });

  it('ends with the culprits and their reasons', () => {
    const text = renderOutcomes([outcome('waiting', [sick])], 1500, plain);
    expect(text).toContain(`  ${name}.instance.1  failed  IMAGE_NOT_FOUND: no image x`);
    expect(text).toContain('after 1.5 s');
  });
});
