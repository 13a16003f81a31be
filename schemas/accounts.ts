/** Accounts of the API: who may log in, as what, and the tokens that programs use instead. */
import { type Static, Type } from 'typebox';

/** What an account is for, the mightiest first. An application provider sees and changes the applications that are its own. */
export const roles = ['admin', 'application_provider', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Mail addresses are names, too. */
export const userNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,62}$/;

/** The account that a cluster begins with. */
export const firstUser = 'Admin';
/** In the cluster's folder: its password, until it is changed. */
export const firstPasswordFile = 'admin-password';

export const leastPassword = 12;
const mostPassword = 1024;
const day = 86_400_000;

const closed = { additionalProperties: false };
const name = Type.String({ minLength: 1, maxLength: 63 });
const password = Type.String({ minLength: 1, maxLength: mostPassword });
const application = Type.String({
  maxLength: 63,
  pattern: '^[^.]+[.][^.]+$',
  errorMessage: 'must be an application, `name.namespace`',
});
const role = Type.Unsafe<Role>(Type.String({ enum: [...roles] }));

/** POST /v1/login. Open: clients of Oakestra send more. */
export const CredentialsBody = Type.Object({ username: Type.String({ maxLength: 255 }), password });

/** POST /v1/users. Without a password one is made, and told once. */
export const UserBody = Type.Object({ name, role, password: Type.Optional(password) }, closed);
export type UserBody = Static<typeof UserBody>;

/** POST /v1/users/:name/password. `old`: of the account itself, unless an admin sets it. */
export const PasswordBody = Type.Object({ password: Type.Optional(password), old: Type.Optional(password) }, closed);
export type PasswordBody = Static<typeof PasswordBody>;

/** POST /v1/users/:name/role */
export const RoleBody = Type.Object({ role }, closed);

/** POST /v1/users/:name/tokens. `ttl` in ms; `role` and `apps` may only narrow what the account may do. */
export const ApiTokenBody = Type.Object(
  {
    role: Type.Optional(role),
    apps: Type.Optional(Type.Array(application, { minItems: 1, maxItems: 100 })),
    purpose: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    ttl: Type.Optional(Type.Integer({ minimum: 60_000, maximum: 365 * day })),
  },
  closed,
);
export type ApiTokenBody = Static<typeof ApiTokenBody>;

/** Who calls, as he is told. */
export interface CallerView {
  readonly name: string;
  readonly role: Role;
  /** `cluster`: the token file of the cluster's folder. */
  readonly by: 'cluster' | 'login' | 'token';
  /** What it is limited to, beside its role. */
  readonly apps?: readonly string[];
  /** ms since 1970, where it ends by itself. */
  readonly expires?: number;
}

/** Times in ms since 1970. */
export interface UserView {
  readonly name: string;
  readonly role: Role;
  readonly created: number;
  /** When its password was set. */
  readonly changed: number;
  /** API tokens of it that are valid. */
  readonly tokens: number;
}

export interface ApiTokenView {
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  readonly apps?: readonly string[];
  readonly purpose?: string;
  readonly created: number;
  readonly expires: number;
  readonly state: 'valid' | 'expired' | 'revoked';
}

/** Both are told once. */
export interface SessionAnswer {
  readonly user: string;
  readonly role: Role;
  readonly token: string;
  readonly refresh_token: string;
  /** When the token ends, and when the session does. ms since 1970. */
  readonly expires: number;
  readonly until: number;
}

export interface UserAnswer {
  readonly user: UserView;
  /** Where one was made. */
  readonly password?: string;
}

export interface ApiTokenAnswer {
  readonly token: string;
  readonly view: ApiTokenView;
}
