/**
 * The shim over each process: two lines of POSIX shell that outlive the agent. It records who the process is before it starts
 * and with what code it ended, and takes with it what the process left behind. A shell, because it costs under 2 MB where a
 * node process costs 40, is on every machine, and needs nothing of ours to survive an upgrade of the agent.
 *
 * It is leader of a session and process group of its own, so that no signal to the agent reaches it. The process is its
 * foreground child: children in the background of a shell would ignore SIGINT and SIGQUIT. Its signals come straight from the
 * agent, to the recorded pid. A service manager that stops the agent must spare what it started (systemd: KillMode=process).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** Files in a copy's folder. */
export const files = {
  copy: 'copy.json',
  copyTwin: 'copy.json~',
  process: 'process',
  exit: 'exit',
  health: 'health',
  stdout: 'stdout.log',
  stderr: 'stderr.log',
  work: 'work',
} as const;

/** A polite signal to the whole session must not keep it from recording the end. Its own messages are not the process's. */
const outer = `
exec 4>&2 2>/dev/null
trap : TERM INT HUP QUIT
folder=$1 inner=$2
shift 2
/bin/sh -c "$inner" "$folder" "$@" 2>&4 4>&-
printf '%s\\n' "$?" >"$folder/${files.exit}"
kill -9 0
`;

/**
 * Becomes the process: pid and start time stay over exec. Tells on descriptor 3 that both are recorded. What cannot be recorded
 * (a full disk) is not run: nobody would know of it, and it would be started again and again.
 */
const inner = `
read -r boot </proc/sys/kernel/random/boot_id
read -r stat </proc/$$/stat
printf '%s %s\\n' "$boot" "$stat" >"$0/${files.process}" || exit 125
echo >&3
exec "$@" 3>&-
`;

/** Exit code that a shim recorded; undefined while it is being written, or when the shim itself was killed. */
export function parseExit(text: string): number | undefined {
  const match = /^(\d{1,3})\n$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

/**
 * Starts a program under a shim, with its output appended to the folder's logs. Resolves once its identity is recorded;
 * `onEnd` is called when it ends while this agent lives. Rejects when the shim cannot be started.
 */
export async function launch(
  folder: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  onEnd: () => void,
  signal: AbortSignal,
): Promise<void> {
  const logs = await Promise.all([open(join(folder, files.stdout), 'a'), open(join(folder, files.stderr), 'a')]);
  try {
    signal.throwIfAborted();
    const child = spawn('/bin/sh', ['-c', outer, 'oakctl-shim', folder, inner, ...command], {
      cwd: join(folder, files.work),
      env: environment,
      detached: true,
      stdio: ['ignore', logs[0].fd, logs[1].fd, 'pipe'],
    });
    child.once('exit', onEnd);
    child.unref();
    await recorded(child);
  } finally {
    await Promise.all(logs.map((log) => log.close()));
  }
}

/** Waits for the sign of the inner shell, which comes within milliseconds or not at all. */
function recorded(child: ChildProcess): Promise<void> {
  // A process that has no more files to open gets a child without streams, and the reason as an event a moment later.
  const ready = (child.stdio as ChildProcess['stdio'] | undefined)?.[3] as Readable | undefined;
  return new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('its shim ended before it began')));
    ready?.once('data', () => resolve());
    ready?.once('error', reject);
  }).finally(() => ready?.destroy());
}
