import { describe, expect, it } from 'vitest';
import { type Seen, survey } from '../../../../reconciler/core/classify.ts';

const digest = '1:a';
const target = { digest, run: { virtualization: 'container', code: 'web' } } as const;

const instance = 'a.b.web.b.instance.0';

function seen(copy: string, status?: string): Seen {
  const node = `node-${copy}`;
  const report = status === undefined ? {} : { report: { status } };
  return {
    copy: { instance, slot: 0, copy, node, ...report },
    job: { digest, want: 'run' },
    node: { record: { id: node, name: node } },
    presence: { state: 'online' },
    healthy: false,
  } as unknown as Seen;
}

describe('of two copies that are not healthy', () => {
  it.each([
    ['starting', 'pulling', '1.6'],
    ['running', undefined, '1.6'],
    ['pulling', 'starting', '4.4'],
    ['starting', 'running', '4.4'],
    ['pulling', 'waiting', '4.4'],
    // Its engine does not answer, perhaps for ever: nothing is known to be up.
    ['unknown', 'pulling', '4.4'],
    ['stopping', 'pulling', '4.4'],
    // It would be in the way of its replacement at every return of its node.
    ['unhealthy', 'pulling', '4.4'],
    ['unhealthy', 'starting', '4.4'],
    ['starting', 'unhealthy', '1.6'],
  ])('%s and, newer, %s: what comes up or is up is kept, else the newer one', (older, newer, kept) => {
    const copies = { seen: [seen('4.4', newer), seen('1.6', older)], unread: [] };
    const { slots } = survey([{ slot: 0, instance }], copies, target);
    expect(slots[0]?.target?.copy.copy).toBe(kept);
    expect(slots[0]?.extra).toHaveLength(1);
  });
});

describe('of two copies, one of which had its time to become healthy', () => {
  const kept = (older: Seen, newer: Seen): string | undefined => {
    const over = (one: Seen): boolean => one === newer;
    return survey([{ slot: 0, instance }], { seen: [newer, older], unread: [] }, target, over).slots[0]?.target?.copy
      .copy;
  };

  it('what runs all the same goes before what is unknown, and what does not run after it', () => {
    expect(kept(seen('1.6', 'unknown'), seen('1.17', 'running'))).toBe('1.17');
    expect(kept(seen('1.6', 'unknown'), seen('1.17', 'unhealthy'))).toBe('1.6');
  });

  it('what was stopped for it is gone back to', () => {
    const stopped = { ...seen('1.6', 'stopped'), job: { digest, want: 'stopped' } } as Seen;
    expect(kept(stopped, seen('1.17', 'running'))).toBe('1.6');
  });
});
