import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStanding } from '../../../../reconciler/api/standing.ts';
import type { Caller } from '../../../../reconciler/core/rights.ts';
import { eventually } from '../../../support/eventually.ts';
import { fakeInstance } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';
import { type MemoryAccounts, memoryAccounts, owner } from '../../../support/memory-accounts.ts';

const password = 'of ann 0123456789';
const minute = 60_000;
const day = 24 * 60 * minute;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

interface Opened {
  readonly memory: MemoryAccounts;
  readonly ann: Caller;
  readonly token: Caller;
  readonly refresh: string;
}

/** Ann, who logged in and has a token of an hour. */
async function opened(): Promise<Opened> {
  const memory = memoryAccounts();
  const { accounts } = memory;
  await accounts.add({ name: 'ann', role: 'admin', password }, owner);
  const login = await accounts.login('ann', password, '::1');
  const made = await accounts.tokens.create(accounts.required('ann'), { role: 'viewer', ttl: 60 * minute }, owner);
  const [ann, token] = await Promise.all([login.token, made.token].map(accounts.callerOf));
  if (!ann || !token) throw new Error('nobody');
  return { memory, ann, token, refresh: login.refresh_token };
}

const tokenId = ({ token }: Opened): string => token.token ?? '';

describe('what lasts', () => {
  it.each<
    [what: string, change: (of: Opened) => Promise<unknown>, login: string | undefined, token: string | undefined]
  >([
    [
      'the token is revoked',
      (of) => of.memory.accounts.tokens.revoke(tokenId(of), undefined, owner),
      undefined,
      'was revoked',
    ],
    ['the token expires', ({ memory }) => memory.clock.advance(60 * minute), undefined, 'has expired'],
    [
      'the account is removed',
      ({ memory }) => memory.accounts.remove('ann', owner),
      'session that ended',
      'no token of this',
    ],
    [
      'the account loses its role',
      ({ memory }) => memory.accounts.setRole('ann', 'viewer', owner),
      'viewer now, not admin',
      undefined,
    ],
    [
      'the account has only some applications',
      ({ memory }) => memory.accounts.setRole('ann', 'application_provider', owner),
      'application_provider now, not admin',
      'sees other applications now',
    ],
    [
      'the password changes',
      ({ memory }) => memory.accounts.setPassword('ann', undefined, undefined, owner),
      'that ended',
      undefined,
    ],
    ['the login ends', ({ memory, ann }) => memory.accounts.logout(ann), 'that ended', undefined],
    ['the login is refreshed', ({ memory, refresh }) => memory.accounts.refresh(refresh), undefined, undefined],
    ['the token of the login expires', ({ memory }) => memory.clock.advance(20 * minute), undefined, undefined],
    [
      'the login is not refreshed for seven days',
      ({ memory }) => memory.clock.advance(7 * day),
      'that ended',
      'has expired',
    ],
  ])('when %s', async (_, change, login, token) => {
    const of = await opened();
    const standing = createStanding(of.memory.accounts);
    const over = { login: '', token: '' };
    standing.watch(of.ann, ({ message }) => (over.login = message));
    standing.watch(of.token, ({ message }) => (over.token = message));
    vi.advanceTimersByTime(2_000);
    expect(over).toEqual({ login: '', token: '' });
    await change(of);
    vi.advanceTimersByTime(1_000);
    expect(over.login).toContain(login ?? '');
    expect(over.token).toContain(token ?? '');
    expect([over.login !== '', over.token !== '']).toEqual([login !== undefined, token !== undefined]);
  });

  it('is looked at until it ends, and then costs nothing', async () => {
    const { memory, ann, token } = await opened();
    const standing = createStanding(memory.accounts);
    const over = vi.fn();
    const stops = [standing.watch(ann, over), standing.watch(token, over), standing.watch(owner, over)];
    expect(vi.getTimerCount()).toBe(1);
    await memory.accounts.remove('ann', owner);
    vi.advanceTimersByTime(3_000);
    expect(over).toHaveBeenCalledTimes(6);
    for (const stop of stops) stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(3_000);
    expect(over).toHaveBeenCalledTimes(6);
  });

  it('is also an answer of which nothing came for a while', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { memory } = await opened();
    const { token } = await memory.accounts.tokens.create(memory.accounts.required('ann'), {}, owner);
    let gone: AbortSignal | undefined;
    const { get } = injectedApi(
      {
        instances: () => [fakeInstance('a.b.c.d.instance.0')],
        logs: (_, __, signal) => ({
          [Symbol.asyncIterator]: () => ({
            next: () => {
              gone = signal;
              return new Promise(() => {});
            },
          }),
        }),
      },
      { accounts: memory.accounts },
    );
    const headers = { authorization: `Bearer ${token}` };
    const answer = get('/v1/instances/a.b.c.d.instance.0/logs?follow=true', headers).catch(() => 'cut');
    await eventually(() => gone !== undefined, { interval: 1 });
    await memory.accounts.remove('ann', owner);
    vi.advanceTimersByTime(5_000);
    expect(gone?.aborted).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect(await answer).toBe('cut');
    expect(gone?.aborted).toBe(true);
  });
});
