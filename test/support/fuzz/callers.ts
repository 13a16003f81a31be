/** Who asks, in campaigns against the API: nobody, with what opens nothing, and people of all roles. */
import type { Accounts } from '../../../reconciler/accounts/accounts.ts';
import type { Caller } from '../../../reconciler/core/rights.ts';
import type { Role } from '../../../schemas/accounts.ts';
import { attacked } from '../forged-tokens.ts';
import { owner } from '../memory-accounts.ts';
import { wellFormed } from './mutate.ts';
import type { Dice } from './random.ts';
import { someText } from './values.ts';

export interface Shown {
  readonly authorization: string;
  /** Absent: nobody that is known here. */
  readonly caller?: Caller;
}

export interface Callers {
  readonly accounts: Accounts;
  someCaller(dice: Dice): Shown;
}

const people: readonly { readonly role: Role; readonly apps?: string[] }[] = [
  { role: 'admin' },
  { role: 'application_provider' },
  { role: 'viewer' },
  { role: 'admin', apps: ['shop.default'] },
];

/** As of a node, with a secret that is none. */
export const basic = (node: string, secret: string): string =>
  `Basic ${Buffer.from(`${node}:${secret}`).toString('base64')}`;

export async function createCallers(): Promise<Callers> {
  const { memory, bad } = await attacked();
  const { accounts } = memory;
  const good = await Promise.all(
    people.map(async ({ role, apps }, index) => {
      const name = `caller${index}`;
      await accounts.add({ name, role }, owner);
      const { token } = await accounts.tokens.create(accounts.required(name), apps ? { apps } : {}, owner);
      return { token, caller: { name, role, by: 'token' as const, ...(apps && { apps }) } };
    }),
  );
  return {
    accounts,
    someCaller(dice) {
      const kind = dice.upTo(10);
      if (kind === 0) return { authorization: '' };
      if (kind === 1) return { authorization: String(wellFormed(someText(dice))).replace(/[^\x20-\x7e]/g, '?') };
      if (kind === 2) return { authorization: basic('ab12', someText(dice)) };
      if (kind < 6) return { authorization: `Bearer ${dice.pick(Object.values(bad))}` };
      const { token, caller } = dice.pick(good);
      return { authorization: `Bearer ${token}`, caller };
    },
  };
}

/** A text that is one step of a path: neither nothing nor a way up. */
export function someStep(dice: Dice, known: readonly string[]): string {
  const text = String(wellFormed(dice.chance(0.6) ? dice.pick(known) : someText(dice)));
  return /^\.{0,2}$/.test(text) ? 'x' : text;
}
