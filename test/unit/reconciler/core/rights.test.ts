import { describe, expect, it } from 'vitest';
import { type Caller, hasRight, type Right, rights } from '../../../../reconciler/core/rights.ts';
import { roles } from '../../../../schemas/accounts.ts';

const all = Object.keys(rights) as Right[];

function of(caller: Partial<Caller>): string {
  return all.filter((right) => hasRight({ name: 'x', role: 'admin', by: 'login', ...caller }, right)).join(' ');
}

describe('rights', () => {
  it.each([
    ['admin', 'open node known self read survey change admin'],
    ['application_provider', 'open node known self read change'],
    ['viewer', 'open node known self read survey'],
  ] as const)('of %s: %s', (role, expected) => {
    expect(of({ role })).toBe(expected);
  });

  it('of a token do not reach accounts, and of one for some applications not the cluster', () => {
    expect(of({ by: 'token' })).toBe('open node known read survey change admin');
    expect(of({ by: 'token', apps: ['shop.prod'] })).toBe('open node known read change');
    for (const role of roles) expect(of({ role, by: 'token', apps: ['a.b'] })).not.toMatch(/admin|survey|self/);
  });
});
