/**
 * Runs git with fixed arguments, through simple-git. Whatever the machine, its users or a repository configure is shut out: one
 * configuration of ours, no hooks, no prompts, no other protocols, and no keyring of whoever runs us.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleGit } from 'simple-git';
import type { Access, Visit } from './access.ts';
import { oneLine, receivedBytes, retryAfter } from './complaint.ts';

export interface GitCommand {
  readonly args: readonly string[];
  /** The repository; without one, git finds none. */
  readonly repository?: string;
  /** Written to its standard input. */
  readonly input?: string;
  /** It goes to the remote: with its credentials, and with a bound on what comes from there, in bytes. */
  readonly remote?: { readonly most: number };
}

export interface GitResult {
  /** -1 when it could not be started or was killed for its silence. */
  readonly code: number;
  readonly stdout: Buffer;
  /** What git complained about, on one line, bounded; for messages. */
  readonly complaint: string;
  /** It was ended because it printed or fetched more than it may; `stdout` is what came before. */
  readonly flooded?: true;
  /** ms for which the remote wants no further request. */
  readonly retryAfter?: number;
}

/** Runs one command in a folder. Throws the signal's reason when aborted; a failed command is a result. */
export type RunGit = (command: GitCommand, signal: AbortSignal) => Promise<GitResult>;

/** A command that says nothing for this long is killed. */
const silence = 60_000;
/** More is not kept of what a command prints, in bytes: trees can be made that have no end. */
const mostOutput = 64 * 1024 * 1024;
/** Of what is said about the progress of a transfer, the end. */
const rememberedProgress = 4096;

const configuration = `[core]
	hooksPath = /dev/null
	fsmonitor = false
[protocol]
	allow = never
[protocol "https"]
	allow = always
[protocol "http"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "file"]
	allow = always
[http]
	followRedirects = false
	lowSpeedLimit = 100
	lowSpeedTime = 20
[gpg]
	program = false
[gpg "x509"]
	program = false
[fetch]
	fsckObjects = true
	recurseSubmodules = false
[submodule]
	recurse = false
[gc]
	autoDetach = false
	auto = 2000
	pruneExpire = never
[safe]
	directory = *
[init]
	defaultBranch = main
	defaultObjectFormat = sha1
`;
const configurationFile = 'gitconfig';
const noVisit: Visit = { env: {}, trace: async () => '', close: async () => undefined };
/** Of the environment of this process, git gets only these. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSH_AGENT_PID'];
const proxies = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const certificates = ['SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Makes the folder and its configuration when they are not there. */
export function createGitRunner(folder: string, access: Access = async () => noVisit): RunGit {
  const file = join(folder, configurationFile);
  const prepare = async (): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const temporary = `${file}~${randomBytes(6).toString('hex')}`;
    await writeFile(temporary, configuration, { mode: 0o600 });
    await rename(temporary, file);
  };

  return async (command, signal) => {
    signal.throwIfAborted();
    // Each time: state may be removed while it is in use.
    if (!existsSync(file)) await prepare();
    const visit = command.remote ? await access(configuration) : noVisit;
    try {
      const result = await runOnce(folder, command, visit.env, signal);
      const wait = result.code === 0 ? undefined : retryAfter(await visit.trace(), Date.now());
      return wait === undefined ? result : { ...result, retryAfter: wait };
    } finally {
      await visit.close();
    }
  };
}

async function runOnce(
  folder: string,
  { args, repository, input, remote }: GitCommand,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<GitResult> {
  const scarce = whyNoFiles(folder);
  if (scarce !== undefined) return { code: -1, stdout: Buffer.alloc(0), complaint: scarce };
  const output = { code: -1, stdout: [] as Buffer[], stderr: [] as Buffer[], error: '' };
  const flood = new AbortController();
  const ours = { ...gitEnvironment(folder, repository), ...own };
  const git = simpleGit({
    baseDir: folder,
    abort: AbortSignal.any([signal, flood.signal]),
    timeout: { block: silence },
    completion: { onClose: true, onExit: false },
    allowEnvironment: Object.keys(ours),
    unsafe: { allowUnsafeConfigPaths: true, allowUnsafeSshCommand: true },
    ...(input !== undefined && { input: () => input }),
    // Every end of a command comes by here; none is an exception, so that the caller can judge it.
    errors(error, result) {
      output.code = error && !Buffer.isBuffer(error) ? -1 : result.exitCode;
      output.stdout = result.stdOut;
      output.stderr = result.stdErr;
      output.error = error && !Buffer.isBuffer(error) ? error.message : '';
      return undefined;
    },
  })
    .env({ ...environment(), ...ours })
    .outputHandler((_, stdout, stderr) => watchFlood(stdout, stderr, remote?.most, () => flood.abort()));
  // What comes here did not start (no memory is left), or was aborted.
  await git.raw([...args]).catch((error: unknown) => {
    output.code = -1;
    output.error = error instanceof Error ? error.message : String(error);
  });
  signal.throwIfAborted();
  const stdout = Buffer.concat(output.stdout);
  if (flood.signal.aborted) return { code: -1, stdout, complaint: 'there is more than is read', flooded: true };
  const complaint = output.error || Buffer.concat(output.stderr).toString('utf8');
  return { code: output.code, stdout, complaint: oneLine(complaint) };
}

/** Streams of a process, and how it says that it started. */
const filesOfAProcess = 8;

/**
 * Why no process can be started for want of files to open. Asked before, because simple-git has no answer to a child without streams: the
 * event that follows would end us.
 */
function whyNoFiles(folder: string): string | undefined {
  const held: number[] = [];
  try {
    while (held.length < filesOfAProcess) held.push(openSync(folder, 'r'));
    return undefined;
  } catch (error) {
    return `git cannot be started: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    for (const one of held) closeSync(one);
  }
}

/** Calls `end` once there is too much of what is printed, or of what comes from a remote. */
function watchFlood(
  stdout: NodeJS.ReadableStream,
  stderr: NodeJS.ReadableStream,
  most: number | undefined,
  end: () => void,
): void {
  let printed = 0;
  stdout.on('data', (chunk: Buffer) => {
    printed += chunk.length;
    if (printed > mostOutput) end();
  });
  let progress = '';
  if (most === undefined) return;
  stderr.on('data', (chunk: Buffer) => {
    progress = (progress + chunk.toString('latin1')).slice(-rememberedProgress);
    if (receivedBytes(progress) > most) end();
  });
}

function environment(): Record<string, string> {
  const kept = [...passedOn, ...proxies, ...certificates].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** What a process of git gets that reads a mirror. */
export function mirrorEnvironment(folder: string, repository: string): Record<string, string> {
  return { ...environment(), ...gitEnvironment(folder, repository) };
}

function gitEnvironment(folder: string, repository: string | undefined): Record<string, string> {
  return {
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(folder, configurationFile),
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -oBatchMode=yes',
    // A mirror that is too damaged to be recognised must not make git use a repository further up.
    GIT_CEILING_DIRECTORIES: join(folder, '..'),
    ...(repository !== undefined && { GIT_DIR: repository }),
  };
}
