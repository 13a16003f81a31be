/**
 * How commands of git that go to a remote get their credentials: never on a command line or in an environment, but in a
 * configuration that only its owner can read, and that is there while the command runs. Files are read at each use.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountedSecretFault, readGuarded, trustedFault } from '../../schemas/io/guarded-file.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceAccess } from '../../schemas/settings-source.ts';
import type { Remote } from './remote.ts';

/** What a command needs beside what all commands get. */
export interface Visit {
  /** Variables of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The headers of the answers, once it ended. */
  trace(): Promise<string>;
  close(): Promise<void>;
}

/** Prepares one command. `configuration`: what holds for all. SOURCE_DENIED when a file cannot be used. */
export type Access = (configuration: string) => Promise<Visit>;

/** Longest key or token in bytes; lists of hosts and roots may be longer. */
const longestSecret = 64 * 1024;
const longestList = 4 * 1024 * 1024;
/** What all large hosts take beside a token, whoever it belongs to. */
const anybody = 'x-access-token';
/** In memory where there is such a place, so that nothing is left after a power cut. */
const shortLived = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A stalled host gives up by itself, so that no process of git outlives its command for long. */
const sshOptions = [
  '-F /dev/null',
  '-oBatchMode=yes',
  '-oConnectTimeout=20',
  '-oServerAliveInterval=10',
  '-oServerAliveCountMax=3',
  '-oStrictHostKeyChecking=yes',
  '-oGlobalKnownHostsFile=/dev/null',
  '-oUpdateHostKeys=no',
  '-oControlMaster=no',
  '-oForwardAgent=no',
  '-oPermitLocalCommand=no',
];

/** `folder`: of the repository alone; tells what an earlier process of it left behind. */
export function createAccess(source: string, remote: Remote, access: SourceAccess, folder: string): Access {
  if (remote.localPath !== undefined) return async () => nothing;
  if (!/^https?:/.test(remote.url)) return sshAccess(source, access);
  const prefix = `oakctl-git-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}-`;
  let swept: Promise<void> | undefined;
  const open = httpAccess(source, remote, access, prefix);
  return async (configuration) => {
    swept ??= sweep(prefix);
    await swept;
    return open(configuration);
  };
}

async function sweep(prefix: string): Promise<void> {
  const left = (await readdir(shortLived).catch(() => [])).filter((name) => name.startsWith(prefix));
  for (const name of left) await rm(join(shortLived, name), { recursive: true, force: true }).catch(() => undefined);
}

const nothing: Visit = { env: {}, trace: async () => '', close: async () => undefined };

function sshAccess(source: string, { keyFile, knownHosts }: SourceAccess): Access {
  if (knownHosts === undefined) return async () => nothing;
  // The patterns of the settings let no path through that would need quotes here.
  const key = keyFile === undefined ? [] : ['-oIdentitiesOnly=yes', '-oIdentityAgent=none', `-i ${keyFile}`];
  const command = ['ssh', ...sshOptions, `-oUserKnownHostsFile=${knownHosts}`, ...key].join(' ');
  return async () => {
    await guarded(source, 'known_hosts', knownHosts);
    if (keyFile !== undefined) await guarded(source, 'key_file', keyFile);
    return { ...nothing, env: { GIT_SSH_COMMAND: command, GIT_SSH_VARIANT: 'ssh' } };
  };
}

function httpAccess(
  source: string,
  { url, login }: Remote,
  { username = anybody, tokenFile, ca }: SourceAccess,
  prefix: string,
): Access {
  const header = async (): Promise<string[]> => {
    if (tokenFile === undefined && !login) return [];
    const pair = tokenFile === undefined ? login : { username, password: await tokenOf(source, tokenFile) };
    // Said at once, so that a request is one request.
    const basic = Buffer.from(`${pair?.username}:${pair?.password}`).toString('base64');
    return [`\textraHeader = "Authorization: Basic ${basic}"`];
  };
  return async (configuration) => {
    if (ca !== undefined) await guarded(source, 'ca', ca);
    const lines = [
      `[http ${quoted(url)}]`,
      ...(ca === undefined ? [] : [`\tsslCAInfo = ${quoted(ca)}`]),
      ...(await header()),
    ];
    const folder = await mkdtemp(join(shortLived, prefix));
    const file = join(folder, 'config');
    const trace = join(folder, 'trace');
    await writeFile(file, `${configuration}${lines.join('\n')}\n`, { mode: 0o600 });
    return {
      env: { GIT_CONFIG_GLOBAL: file, GIT_TRACE_CURL: trace, GIT_TRACE_CURL_NO_DATA: '1', GIT_TRACE_REDACT: '1' },
      trace: () => readFile(trace, 'utf8').catch(() => ''),
      close: () => rm(folder, { recursive: true, force: true }),
    };
  };
}

async function tokenOf(source: string, file: string): Promise<string> {
  const token = (await guarded(source, 'token_file', file)).trim();
  if (token !== '' && !/[\p{Cc}\s]/u.test(token)) return token;
  throw unusable(source, 'token_file', file, 'it does not hold one token', 'one line, and nothing else');
}

const rules = {
  token_file: { judge: mountedSecretFault, longest: longestSecret },
  key_file: { judge: mountedSecretFault, longest: longestSecret },
  known_hosts: { judge: trustedFault, longest: longestList },
  signers: { judge: trustedFault, longest: longestList },
  ca: { judge: trustedFault, longest: longestList },
} as const;

/** Links are followed: container engines mount secrets as such. */
export async function guarded(source: string, setting: keyof typeof rules, file: string): Promise<string> {
  const { judge, longest } = rules[setting];
  const read = await readGuarded(file, longest, (info) => judge(file, info), { followLinks: true });
  if (read === undefined) throw unusable(source, setting, file, 'it is not there');
  if ('text' in read) return read.text;
  throw unusable(source, setting, file, read.why, read.hint);
}

function unusable(source: string, setting: string, file: string, why: string, hint?: string): ProblemError {
  const details = {
    subject: `source/${source}`,
    file,
    disposition: 'retry',
    ...(hint !== undefined && { hint }),
  } as const;
  return new ProblemError(problem('SOURCE_DENIED', `\`${setting}\` cannot be used: ${why}`, details));
}

/** As a value of git's configuration. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
