/**
 * Live names for the shell. It waits for nobody: what is not there at once is not suggested. Answers are kept for a moment, so
 * that a second press of the key costs no request, and an older one stands in while the reconciler does not answer.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAccountsClient } from '../../schemas/io/accounts-client.ts';
import { createApiClient } from '../../schemas/io/api-client.ts';
import type { Endpoint } from '../../schemas/io/http.ts';
import { endpointOf, localClusters, readContexts, resolveTarget, type TargetFlags } from '../contexts.ts';
import type { Env } from '../home.ts';
import { isDue, loginOf } from '../sessions.ts';
import type { NameKind } from './suggest.ts';

/** ms that a reconciler has to answer. */
const patience = 300;
/** ms that an answer is good for, and for which it stands in for one that does not come. */
const fresh = 3000;
const stale = 10 * 60_000;

interface Kept {
  /** ms since 1970. */
  readonly at: number;
  readonly names: readonly string[];
}

/** Names of one kind; empty when they cannot be told. Never fails. `typed`: flags and environment that say which cluster. */
export async function namesOf(kind: NameKind, typed: TargetFlags, env: Env, home: string): Promise<readonly string[]> {
  try {
    if (kind === 'contexts') {
      const { contexts } = await readContexts(home);
      return [...new Set([...Object.keys(contexts), ...(await localClusters(home))])].sort();
    }
    const target = await resolveTarget(typed, env, home);
    const file = join(
      home,
      'cache',
      `${createHash('sha256').update(`${target.api} ${kind}`).digest('hex').slice(0, 16)}.json`,
    );
    const kept = await readKept(file);
    const age = Date.now() - (kept?.at ?? 0);
    if (kept && age >= 0 && age < fresh) return kept.names;
    try {
      // As it is: nobody waits here for another token.
      const session = await loginOf(target, typed, env, home);
      if (session && isDue(session)) return kept?.names ?? [];
      const endpoint = { ...endpointOf(target), ...(session && { token: session.token }) };
      const names = await ask(endpoint, kind, AbortSignal.timeout(patience));
      await keep(file, { at: Date.now(), names }).catch(() => {});
      return names;
    } catch {
      return kept && age < stale ? kept.names : [];
    }
  } catch {
    return [];
  }
}

async function ask(endpoint: Endpoint, kind: Exclude<NameKind, 'contexts'>, signal: AbortSignal): Promise<string[]> {
  if (kind === 'users') return (await createAccountsClient(endpoint).users(signal)).map(({ name }) => name);
  if (kind === 'apiTokens') return (await createAccountsClient(endpoint).apiTokens(signal)).map(({ id }) => id);
  const api = createApiClient(endpoint);
  if (kind === 'holds') return (await api.holds(signal)).flatMap(({ id }) => id ?? []);
  if (kind === 'overrides') return (await api.overrides(signal)).map(({ id }) => id);
  if (kind === 'tokens') return (await api.tokens(signal)).map(({ id }) => id);
  return (await api[kind]([], signal)).map(({ name }) => name);
}

async function readKept(file: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}

async function keep(file: string, kept: Kept): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, JSON.stringify(kept), { mode: 0o600 });
  await rename(temporary, file);
}
