import { describe, expect, it } from 'vitest';
import { createPasswords } from '../../../../reconciler/accounts/passwords.ts';
import { createUsers } from '../../../../reconciler/accounts/users.ts';
import { emptyRecords } from '../../../../reconciler/core/records.ts';
import { type Caller, hasRight, isLimited } from '../../../../reconciler/core/rights.ts';
import { createJournal } from '../../../../reconciler/journal.ts';
import type { Role } from '../../../../schemas/accounts.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import { type ProblemCode, ProblemError, problem } from '../../../../schemas/problem.ts';
import { type MemoryAccounts, memoryAccounts, memoryKeeper, owner } from '../../../support/memory-accounts.ts';
import { createMemoryKeys } from '../../../support/memory-keys.ts';
import { createSeededRandom, createVirtualClock } from '../../../support/virtual-clock.ts';

const from = '192.0.2.1';
const minute = 60_000;
const day = 24 * 60 * minute;

/** A cluster with an account of each role; names are passwords with a tail. */
async function three(): Promise<MemoryAccounts> {
  const memory = memoryAccounts();
  const { accounts } = memory;
  await accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
  await accounts.add({ name: 'pat', role: 'application_provider', password: 'of pat 0123456789' }, owner);
  return memory;
}

/** The same, with a thousand logins of pat on record; `refresh` goes on with one of them. */
async function crowded(): Promise<MemoryAccounts & { readonly refresh: string }> {
  const { accounts, records, clock } = await three();
  const { refresh_token } = await accounts.login('pat', 'of pat 0123456789', from);
  const { refresh_token: refresh } = await accounts.refresh(refresh_token);
  const at = clock.now().wall;
  const record = { user: accounts.required('pat').id, turn: 1, at, until: (at + day) as Wall };
  const others = Object.fromEntries(Array.from({ length: 999 }, (_, i) => [`s${i}`, record]));
  return { ...memoryAccounts({ ...records(), sessions: { ...records().sessions, ...others } }, clock), refresh };
}

async function codeOf(work: Promise<unknown>): Promise<ProblemCode | 'none'> {
  return work.then(
    () => 'none' as const,
    (error: unknown) => {
      if (error instanceof ProblemError) return error.problem.code;
      throw error;
    },
  );
}

describe('the first account', () => {
  it('has a password of its own that is told once, and is made once', async () => {
    const memory = memoryAccounts();
    const passwords: string[] = [];
    const tell = async (password: string): Promise<void> => void passwords.push(password);
    await memory.accounts.begin(tell);
    await memory.accounts.begin(tell);
    expect(passwords).toHaveLength(1);
    expect(passwords[0]).toMatch(/^([a-z2-9]{4}-){4}[a-z2-9]{4}$/);
    expect(JSON.stringify(memory.records())).not.toContain(passwords[0]);
    expect(await memory.accounts.login('Admin', passwords[0] ?? '', from)).toMatchObject({ role: 'admin' });
  });

  it('begins anew when its password could not be told', async () => {
    const memory = memoryAccounts();
    await expect(memory.accounts.begin(() => Promise.reject(new Error('full')))).rejects.toThrow('full');
    expect(memory.records().users).toBeUndefined();
  });

  it('says where its password lies to who tries the one of Oakestra', async () => {
    const { accounts } = memoryAccounts();
    await accounts.begin(async () => undefined);
    const failed = await accounts.login('Admin', 'Admin', from).catch((error: unknown) => error);
    expect((failed as ProblemError).problem).toMatchObject({ code: 'UNAUTHORIZED' });
    expect((failed as ProblemError).problem.hint).toContain('admin-password');
  });
});

describe('a session', () => {
  it('is good for ten minutes, and a refresh token for seven days', async () => {
    const { accounts, clock } = await three();
    const { token, refresh_token } = await accounts.login('pat', 'of pat 0123456789', from);
    expect(await accounts.callerOf(token)).toMatchObject({ name: 'pat', role: 'application_provider', by: 'login' });
    expect(await codeOf(accounts.callerOf(refresh_token))).toBe('UNAUTHORIZED');
    expect(await codeOf(accounts.refresh(token))).toBe('UNAUTHORIZED');
    clock.jumpWall(10 * minute);
    expect(await codeOf(accounts.callerOf(token))).toBe('UNAUTHORIZED');
    clock.jumpWall(6 * day);
    const next = await accounts.refresh(refresh_token);
    expect(await accounts.callerOf(next.token)).toMatchObject({ name: 'pat' });
    clock.jumpWall(day);
    expect(await codeOf(accounts.refresh(next.refresh_token))).toBe('UNAUTHORIZED');
  });

  it('is of a caller as he is now, and of nothing else that is kept of him', async () => {
    const { accounts } = await three();
    const pat = await accounts.callerOf((await accounts.login('pat', 'of pat 0123456789', from)).token);
    await accounts.setRole('pat', 'viewer', owner);
    expect(accounts.current(pat)).toEqual({ ...pat, role: 'viewer' });
  });

  it('ends for both when a refresh token comes twice', async () => {
    const { accounts, clock, events } = await three();
    const stolen = await accounts.login('pat', 'of pat 0123456789', from);
    const mine = await accounts.refresh(stolen.refresh_token);
    clock.jumpWall(20_000);
    expect(await codeOf(accounts.refresh(stolen.refresh_token))).toBe('UNAUTHORIZED');
    expect(await codeOf(accounts.refresh(mine.refresh_token))).toBe('UNAUTHORIZED');
    expect(await codeOf(accounts.callerOf(mine.token))).toBe('UNAUTHORIZED');
    expect(events.map(({ kind }) => kind)).toContain('session_reused');
  });

  it('goes on when the answer to a refresh was lost, or two came at once', async () => {
    const { accounts, clock } = await three();
    const first = await accounts.login('pat', 'of pat 0123456789', from);
    const [a, b] = await Promise.all([accounts.refresh(first.refresh_token), accounts.refresh(first.refresh_token)]);
    clock.jumpWall(minute);
    const next = await accounts.refresh(b.refresh_token);
    expect(await accounts.callerOf(next.token)).toMatchObject({ name: 'pat' });
    expect(await accounts.callerOf(a.token)).toMatchObject({ name: 'pat' });
  });

  it('ends with a logout, another password, and the account; a role counts at once', async () => {
    const { accounts } = await three();
    const login = () => accounts.login('pat', 'of pat 0123456789', from);
    const [one, two] = [await login(), await login()];
    await accounts.logout(await accounts.callerOf(one.token));
    expect(await codeOf(accounts.callerOf(one.token))).toBe('UNAUTHORIZED');
    expect(await codeOf(accounts.refresh(one.refresh_token))).toBe('UNAUTHORIZED');
    await accounts.setRole('pat', 'viewer', owner);
    expect(await accounts.callerOf(two.token)).toMatchObject({ role: 'viewer' });
    const { password = '' } = await accounts.setPassword('pat', undefined, undefined, owner);
    expect(await codeOf(accounts.callerOf(two.token))).toBe('UNAUTHORIZED');
    const three_ = await accounts.login('pat', password, from);
    await accounts.remove('pat', owner);
    expect(await codeOf(accounts.callerOf(three_.token))).toBe('UNAUTHORIZED');
    expect(await codeOf(accounts.login('pat', password, from))).toBe('UNAUTHORIZED');
  });

  it('finds no room beside a thousand others, until another password ends them', async () => {
    const { accounts, records } = await crowded();
    const refreshed = async (password: string) =>
      codeOf(accounts.refresh((await accounts.login('pat', password, from)).refresh_token));
    expect(await refreshed('of pat 0123456789')).toBe('TOO_MANY');
    await accounts.setPassword('pat', 'another password 1', undefined, owner);
    expect(await refreshed('another password 1')).toBe('none');
    expect(Object.keys(records().sessions ?? {})).toHaveLength(1);
  });

  it('goes on beside a thousand others if it is one of them', async () => {
    const { accounts, refresh } = await crowded();
    expect(await codeOf(accounts.refresh(refresh))).toBe('none');
  });

  it('takes all others along where there is no room to remember its end', async () => {
    const { accounts, records, events } = await crowded();
    const login = () => accounts.login('pat', 'of pat 0123456789', from);
    const [one, two] = [await login(), await login()];
    await accounts.logout(await accounts.callerOf(one.token));
    for (const { token } of [one, two]) expect(await codeOf(accounts.callerOf(token))).toBe('UNAUTHORIZED');
    expect(records().sessions).toEqual({});
    expect(events.at(-1)).toMatchObject({ kind: 'user_changed', subject: 'user/pat' });
    expect(await codeOf(accounts.callerOf((await login()).token))).toBe('none');
  });

  it('outlives a restart, and not a restore', async () => {
    const { accounts, records, clock } = await three();
    const { token } = await accounts.login('ann', 'of ann 0123456789', from);
    const restarted = memoryAccounts({ ...records(), epoch: 2 }, clock);
    expect(await restarted.accounts.callerOf(token)).toMatchObject({ name: 'ann' });
    const restored = memoryAccounts({ ...records(), epoch: 1_000_001 }, clock);
    expect(await codeOf(restored.accounts.callerOf(token))).toBe('UNAUTHORIZED');
    expect(await restored.accounts.login('ann', 'of ann 0123456789', from)).toMatchObject({ user: 'ann' });
  });
});

describe('an account', () => {
  it('has a name that no other one has, and a password worth the name', async () => {
    const { accounts } = await three();
    const add = (name: string, password?: string) =>
      codeOf(accounts.add({ name, role: 'viewer', ...(password !== undefined && { password }) }, owner));
    expect(await add('PAT')).toBe('NAME_TAKEN');
    const twice = accounts.add({ name: 'PAT', role: 'viewer' }, owner);
    await expect(twice).rejects.toMatchObject({ problem: { hint: expect.stringContaining('oakctl users ls') } });
    expect(await add('a/b')).toBe('NAME_INVALID');
    expect(await add('__proto__')).toBe('NAME_INVALID');
    expect(await add('eve', 'short')).toBe('BAD_REQUEST');
    expect(await add('eve', 'aaaaaaaaaaaaaaaa')).toBe('BAD_REQUEST');
    expect(await add('eve')).toBe('none');
    expect(await codeOf(accounts.remove('nobody', owner))).toBe('NOT_FOUND');
  });

  it('changes its password with the old one only', async () => {
    const { accounts } = await three();
    const pat = await accounts.callerOf((await accounts.login('pat', 'of pat 0123456789', from)).token);
    const change = (password: string) =>
      codeOf(accounts.setPassword('pat', 'another password 1', { password, address: from }, pat));
    expect(await change('wrong')).toBe('UNAUTHORIZED');
    expect(await change('of pat 0123456789')).toBe('none');
    expect(await codeOf(accounts.login('pat', 'another password 1', from))).toBe('none');
  });
});

describe('an account that the disk does not let go', () => {
  it('has its tokens, and its logins that ended stay so', async () => {
    const { accounts, records, clock } = await three();
    await accounts.tokens.create(accounts.required('pat'), {}, owner);
    await accounts.logout(await accounts.callerOf((await accounts.login('pat', 'of pat 0123456789', from)).token));
    const full = async (): Promise<never> => {
      throw new ProblemError(problem('FILE_UNWRITABLE', 'the disk is full'));
    };
    const keeper = Object.assign(memoryKeeper(records()), { saved: full });
    const random = createSeededRandom(1);
    const deps = { clock, random, keys: createMemoryKeys('test') };
    const journal = createJournal({ clock, run: 'test', onEvent: () => undefined });
    const users = createUsers({ deps, keeper, journal }, createPasswords(random, { log: 4, block: 8, parallel: 1 }));
    expect(await codeOf(users.remove('pat', owner))).toBe('FILE_UNWRITABLE');
    expect(keeper.now).toEqual(records());
    expect(Object.values(keeper.now.sessions ?? {})).toMatchObject([{ ended: true }]);
  });
});

describe('an API token', () => {
  it('is good for what its account is, and never for more', async () => {
    const { accounts, clock, records } = await three();
    const pat = accounts.required('pat');
    expect(await codeOf(accounts.tokens.create(pat, { role: 'admin' }, owner))).toBe('FORBIDDEN');
    const { token, view } = await accounts.tokens.create(pat, { apps: ['shop.prod'], ttl: day }, owner);
    expect(JSON.stringify(records())).not.toContain(token.slice(-43));
    expect(await accounts.callerOf(token)).toMatchObject({ name: 'pat', by: 'token', apps: ['shop.prod'] });
    expect(await codeOf(accounts.callerOf(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`))).toBe(
      'UNAUTHORIZED',
    );
    await accounts.setRole('pat', 'viewer', owner);
    expect(await accounts.callerOf(token)).toMatchObject({ role: 'viewer' });
    clock.jumpWall(day);
    expect(await codeOf(accounts.callerOf(token))).toBe('UNAUTHORIZED');
    expect(accounts.tokens.list(pat)).toMatchObject([{ id: view.id, state: 'expired' }]);
  });

  it('of who has some applications sees no others as a viewer, whichever of the two became it', async () => {
    const { accounts } = await three();
    const [pat, ann] = ['pat', 'ann'].map(accounts.required);
    if (!pat || !ann) throw new Error('nobody');
    const callerOf = async (user: typeof pat, role: Role) =>
      accounts.callerOf((await accounts.tokens.create(user, { role }, owner)).token);
    const asked = ['read', 'survey', 'change'] as const;
    const rightsOf = (caller: Caller) => asked.map((right) => hasRight(caller, right));
    const narrow = await callerOf(pat, 'viewer');
    expect(narrow).toMatchObject({ role: 'viewer', own: true });
    expect([isLimited(narrow), ...rightsOf(narrow)]).toEqual([true, true, false, false]);
    const wide = await callerOf(ann, 'viewer');
    expect([isLimited(wide), ...rightsOf(wide)]).toEqual([false, true, true, false]);
    const providing = await callerOf(ann, 'application_provider');
    await accounts.setRole('ann', 'viewer', owner);
    expect(accounts.current(providing)).toMatchObject({ role: 'viewer', own: true });
    await accounts.setRole('ann', 'application_provider', owner);
    expect(accounts.current(wide)).toMatchObject({ role: 'viewer', own: true });
    expect(accounts.current(providing)).not.toHaveProperty('own');
  });

  it('is revoked by its account or an admin, and by nobody else', async () => {
    const { accounts } = await three();
    const { token, view } = await accounts.tokens.create(accounts.required('pat'), {}, owner);
    expect(await codeOf(accounts.tokens.revoke(view.id, accounts.required('ann'), owner))).toBe('NOT_FOUND');
    expect(await codeOf(accounts.tokens.revoke('constructor', undefined, owner))).toBe('NOT_FOUND');
    await accounts.tokens.revoke(view.id, accounts.required('pat'), owner);
    await accounts.tokens.revoke(view.id, accounts.required('pat'), owner);
    expect(await codeOf(accounts.callerOf(token))).toBe('UNAUTHORIZED');
  });

  it('goes with its account', async () => {
    const { accounts } = await three();
    const { token } = await accounts.tokens.create(accounts.required('pat'), {}, owner);
    await accounts.remove('pat', owner);
    await accounts.add({ name: 'pat', role: 'admin', password: 'of pat 0123456789' }, owner);
    expect(await codeOf(accounts.callerOf(token))).toBe('UNAUTHORIZED');
  });
});

describe('guesses', () => {
  it('are looked at a few times only, and lock nobody out who comes from elsewhere', async () => {
    const { accounts, clock, events } = await three();
    const guess = (address: string) => codeOf(accounts.login('ann', 'wrong', address));
    const codes = await Promise.all(Array.from({ length: 500 }, () => guess('198.51.100.7')));
    expect(codes.filter((code) => code === 'UNAUTHORIZED')).toHaveLength(10);
    expect(codes.filter((code) => code === 'TOO_MANY')).toHaveLength(490);
    expect(events.filter(({ kind }) => kind === 'user_locked')).toHaveLength(1);
    // The account refills faster than one address may guess.
    await clock.advance(72_000);
    await guess('198.51.100.7');
    expect(await codeOf(accounts.login('ann', 'of ann 0123456789', from))).toBe('none');
    expect(await codeOf(accounts.login('pat', 'of pat 0123456789', from))).toBe('none');
  });

  it('are looked at sixty times an hour, of twenty thousand in three hours and from everywhere', async () => {
    const clock = createVirtualClock({ rounds: 0 });
    const { accounts } = memoryAccounts(undefined, clock);
    await accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
    const looked: number[] = [];
    for (let second = 0; second < 10_000; second += 5) {
      const asked = Array.from({ length: 10 }, (_, i) => accounts.login('ann', `${i}`, `10.${second % 256}.${i}.1`));
      for (const answer of await Promise.allSettled(asked)) {
        const { code } = (answer as { reason: ProblemError }).reason.problem;
        if (code === 'UNAUTHORIZED') looked.push(second);
        else expect(code).toBe('TOO_MANY');
      }
      await clock.advance(5_000);
    }
    const inHour = looked.map((begin) => looked.filter((at) => at >= begin && at < begin + 3_600).length);
    expect(Math.max(...inHour)).toBeLessThanOrEqual(60);
    expect(looked.length).toBeGreaterThan(130);
  });

  it('do not count when they are right', async () => {
    const { accounts } = await three();
    for (let i = 0; i < 15; i += 1) await accounts.login('ann', 'of ann 0123456789', from);
  });

  it('of unknown names cost and answer the same', async () => {
    const { accounts } = memoryAccounts({ ...emptyRecords, epoch: 1, users: {} });
    const codes = [];
    for (let i = 0; i < 11; i += 1) codes.push(await codeOf(accounts.login('nobody', 'wrong', `203.0.113.${i}`)));
    expect(codes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'UNAUTHORIZED'));
    expect(codes[10]).toBe('TOO_MANY');
  });
});
