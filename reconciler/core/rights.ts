/** Who may do what: each route of the API declares one of these rights, and each role has some of them. */
import type { CallerView, Role } from '../../schemas/accounts.ts';
import type { Wall } from '../../schemas/ports.ts';

/** Every right there is. A route without one cannot exist. */
export const rights = {
  open: 'nobody is asked who he is',
  node: 'the route itself checks the credential of a node, or a join token',
  known: 'whoever has an account, or a token of one',
  self: 'who logged in, about his own account',
  read: 'see applications: all, or the own ones',
  survey: 'see the cluster: nodes, tokens, keys, and what is written for all of them',
  change: 'change applications: all, or the own ones',
  admin: 'change the cluster, and who may do what',
} as const;
export type Right = keyof typeof rights;

/** What a token of a login stands on. */
export interface Login {
  readonly session: string;
  /** Of the account: raised when its password changes. */
  readonly version: number;
  /** When it is over at the latest. */
  readonly until: Wall;
}

/** Whoever calls. */
export interface Caller extends CallerView {
  /** Of the account; the token file of the cluster belongs to none. */
  readonly user?: string;
  /** Of the login. */
  readonly login?: Login;
  /** Id of the API token. */
  readonly token?: string;
  /** Has no more than what its account owns, though its role would: of account and token one is an application provider's. */
  readonly own?: true;
}

const ofRole: Readonly<Record<Role, readonly Right[]>> = {
  admin: ['known', 'self', 'read', 'survey', 'change', 'admin'],
  application_provider: ['known', 'self', 'read', 'change'],
  viewer: ['known', 'self', 'read', 'survey'],
};

/** What is limited to some applications has no say in the cluster; a token never makes another token, nor a password. */
export function hasRight({ role, apps, by, own }: Caller, right: Right): boolean {
  if (right === 'open' || right === 'node') return true;
  if ((apps !== undefined || own) && (right === 'survey' || right === 'admin')) return false;
  if (right === 'self' && by === 'token') return false;
  return ofRole[role].includes(right);
}

/** Sees and changes less than all applications. */
export function isLimited(caller: Caller): boolean {
  return isOwnerOnly(caller) || caller.apps !== undefined;
}

/** Sees and changes what the account owns, and no more. */
export function isOwnerOnly({ role, own }: Pick<Caller, 'role' | 'own'>): boolean {
  return role === 'application_provider' || own === true;
}

/** The lesser one. A viewer changes less than an application provider, and sees more: {@link Caller.own} is for that. */
export function leastRole(a: Role, b: Role): Role {
  const order: readonly Role[] = ['viewer', 'application_provider', 'admin'];
  return order.indexOf(a) < order.indexOf(b) ? a : b;
}
