/**
 * The operator's own age identity: what lets a person read and change secrets from this machine. `$SOPS_AGE_KEY_FILE` as sops has it;
 * beside it, or else, the one in the home of oakctl, which is made at its first use.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgeIdentity, makeAgeIdentity, recipientOf } from '../../schemas/io/age.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Env } from '../home.ts';

export interface OwnIdentity {
  /** What can be tried to decrypt. Secret. */
  readonly identities: readonly AgeIdentity[];
  /** What is encrypted for this operator is for this one. */
  readonly recipient: string;
  /** Where it is kept. */
  readonly file: string;
  /** It did not exist before. */
  readonly isNew?: true;
}

const fileName = 'age-keys.txt';

/** SECRET_UNREADABLE for a file that holds no identity, or that others can read; it is left as it is. */
export async function ownIdentity(env: Env, home: string): Promise<OwnIdentity> {
  const named = env['SOPS_AGE_KEY_FILE'] || undefined;
  const mine = join(home, fileName);
  const files = [...(named === undefined ? [] : [named]), mine];
  const texts = new Map<string, string>();
  for (const file of files) {
    const text = await textOf(file, file === named);
    if (text !== undefined) texts.set(file, text);
  }
  const isNew = texts.size === 0;
  if (isNew) texts.set(mine, await make(home, mine));
  const identities: AgeIdentity[] = [];
  for (const [file, text] of texts) identities.push(...(await identitiesIn(file, text)));
  const [file = mine] = texts.keys();
  return { identities, recipient: identities[0]?.recipient ?? '', file, ...(isNew && { isNew }) };
}

/** Undefined: there is none yet. */
async function textOf(file: string, isNamed: boolean): Promise<string | undefined> {
  try {
    const { mode } = await stat(file);
    if (!isNamed && (mode & 0o077) !== 0) {
      const hint = `chmod 600 ${file}; if others could read it: another one, and rekey`;
      throw new ProblemError(problem('SECRET_UNREADABLE', 'others may read this age identity', { file, hint }));
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !isNamed) return undefined;
    const hint = isNamed ? 'SOPS_AGE_KEY_FILE names it' : undefined;
    const message = `the age identity cannot be read (${code})`;
    throw new ProblemError(problem('SECRET_UNREADABLE', message, { file, ...(hint && { hint }) }), { cause: error });
  }
}

/** As `age-keygen` writes it: one key per line, and comments. */
async function identitiesIn(file: string, text: string): Promise<readonly AgeIdentity[]> {
  const secrets = text.split('\n').flatMap((line) => /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/.exec(line.trim())?.[0] ?? []);
  if (secrets.length === 0) {
    const hint = 'restore it; without it nobody reads what was encrypted for it';
    throw new ProblemError(problem('SECRET_UNREADABLE', 'the file holds no age identity', { file, hint }));
  }
  return Promise.all(secrets.map(async (secret) => ({ secret, recipient: await recipientOf(secret) })));
}

/** Whole or not at all; of two that are made at once the first counts. */
async function make(home: string, file: string): Promise<string> {
  const { secret, recipient } = await makeAgeIdentity();
  await mkdir(home, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomUUID()}`;
  const text = `# made by oakctl: who has this file reads your secrets\n# public key: ${recipient}\n${secret}\n`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  return readFile(file, 'utf8');
}
