/**
 * Runs git with fixed arguments, through simple-git. Whatever the machine, its users or a repository configure is shut out: one
 * configuration of ours, no hooks, no prompts, no other protocols.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleGit } from 'simple-git';

export interface GitCommand {
  readonly args: readonly string[];
  /** The repository; without one, git finds none. */
  readonly repository?: string;
  /** Written to its standard input. */
  readonly input?: string;
}

export interface GitResult {
  /** -1 when it could not be started or was killed for its silence. */
  readonly code: number;
  readonly stdout: Buffer;
  /** What git complained about, on one line, bounded; for messages. */
  readonly complaint: string;
}

/** Runs one command in a folder. Throws the signal's reason when aborted; a failed command is a result. */
export type RunGit = (command: GitCommand, signal: AbortSignal) => Promise<GitResult>;

/** A command that says nothing for this long is killed. */
const silence = 60_000;

const configuration = `[core]
	hooksPath = /dev/null
	fsmonitor = false
[protocol]
	allow = never
[protocol "https"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "file"]
	allow = always
[http]
	followRedirects = false
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
`;
const configurationFile = 'gitconfig';
/** Of the environment of this process, git gets only these. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSH_AGENT_PID'];
const proxies = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const certificates = ['SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Makes the folder and its configuration when they are not there. */
export function createGitRunner(folder: string): RunGit {
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
    const output = { code: -1, stdout: [] as Buffer[], stderr: [] as Buffer[], error: '' };
    const git = simpleGit({
      baseDir: folder,
      abort: signal,
      timeout: { block: silence },
      completion: { onClose: true, onExit: false },
      allowEnvironment: Object.keys(gitEnvironment(folder, command.repository)),
      unsafe: { allowUnsafeConfigPaths: true, allowUnsafeSshCommand: true },
      ...(command.input !== undefined && { input: () => command.input }),
      // Every end of a command comes by here; none is an exception, so that the caller can judge it.
      errors(error, result) {
        output.code = error && !Buffer.isBuffer(error) ? -1 : result.exitCode;
        output.stdout = result.stdOut;
        output.stderr = result.stdErr;
        output.error = error && !Buffer.isBuffer(error) ? error.message : '';
        return undefined;
      },
    }).env(environment(folder, command.repository));
    await git.raw([...command.args]);
    signal.throwIfAborted();
    const complaint = output.error || Buffer.concat(output.stderr).toString('utf8');
    return { code: output.code, stdout: Buffer.concat(output.stdout), complaint: oneLine(complaint) };
  };
}

function environment(folder: string, repository: string | undefined): Record<string, string> {
  const kept = [...passedOn, ...proxies, ...certificates].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), LC_ALL: 'C', ...gitEnvironment(folder, repository) };
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

const progress = /^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Total|From|To|\*) ?/;

/** The last lines are where git and ssh say why; control characters have no place in a message. */
function oneLine(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}/gu, ' ').trim())
    .filter((line) => line !== '' && !progress.test(line));
  return lines.slice(-4).join('; ').slice(-500);
}
