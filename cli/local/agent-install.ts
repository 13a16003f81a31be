/**
 * `oakctl agent install`: makes this machine a node whose agent systemd runs. Every step looks first and does what is missing, so
 * that again is as once, and an interrupted one goes on.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockHolder } from '../../schemas/io/folder-lock.ts';
import { replaceSynced } from '../../schemas/io/twin-file.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { type AgentSettings, withAgentSettings } from '../services/agent-settings.ts';
import { systemdUnit } from '../services/systemd-unit.ts';
import { engineSocket, openEngine } from './engine.ts';
import { removeOtherPrograms } from './programs.ts';
import { hasSystemd, startService, stopService, unitFile, writeUnit } from './systemd.ts';

export interface InstallOptions {
  /** Of the agent. */
  readonly folder: string;
  readonly settings: AgentSettings;
  /** Command line of oakctl, e.g. Node and the program. */
  readonly command: readonly string[];
  /** Joins if the folder's agent has not joined yet. */
  readonly join: (waiting: (found: Problem) => void, signal: AbortSignal) => Promise<JoinedNode>;
  readonly say: (text: string) => void;
}

export interface JoinedNode {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
}

export interface InstallReport {
  readonly node: string;
  readonly id: string;
  readonly cluster: string;
  readonly folder: string;
  /** File of the unit, where systemd runs services. */
  readonly unit?: string;
  /** Without it: what is to be run. */
  readonly run?: string;
}

/** How long a cluster may take to answer, and an agent to connect. ms. */
const patience = 30_000;

/** Returns when the agent is connected, or, without systemd, when it may be started. TIMED_OUT, and whatever joining throws. */
export async function installAgent(options: InstallOptions, signal: AbortSignal): Promise<InstallReport> {
  const { folder, settings, command, say } = options;
  if (process.getuid?.() !== 0) {
    throw new ProblemError(problem('REFUSED', 'an agent is installed by root', { hint: 'sudo, or become root' }));
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'agent.yaml');
  const old = await readFile(file, 'utf8').catch(() => undefined);
  const text = withAgentSettings(old, settings, file);
  await replaceSynced(file, text);
  // Its folder belongs to one process at a time.
  if (hasSystemd()) await stopService();
  const node = await joined(options, signal);
  // It is worth nothing any more.
  await replaceSynced(file, withAgentSettings(text, { ...settings, token: null }, file));
  const report = { node: node.name, id: node.id, cluster: node.cluster, folder };
  const unit = systemdUnit({ role: 'agent', folder, command });
  if (!(await openEngine(engineSocket({})))) {
    say('No Docker Engine answers at /var/run/docker.sock: the node takes containers once one does.');
  }
  if (!hasSystemd()) {
    await tidy(say);
    return { ...report, run: [...command, 'agent', '--folder', folder].join(' ') };
  }
  await writeUnit(unit);
  await startService();
  await untilConnected(join(folder, 'state'), signal);
  await tidy(say);
  return { ...report, unit: unitFile };
}

/** The node is there: packages of other versions have had their time. */
async function tidy(say: InstallOptions['say']): Promise<void> {
  const removed = await removeOtherPrograms().catch((error: Error) => {
    say(`Packages of other versions stay: ${error.message}`);
    return [];
  });
  if (removed.length > 0) say(`Removed, because this one takes its place: ${removed.join(', ')}`);
}

/** Joins, and says after a while whom it waits for. */
async function joined({ join: become, settings }: InstallOptions, signal: AbortSignal): Promise<JoinedNode> {
  const late = AbortSignal.timeout(patience);
  let last: Problem | undefined;
  try {
    return await become(
      (found) => {
        last = found;
      },
      AbortSignal.any([signal, late]),
    );
  } catch (error) {
    if (isProblemError(error) || !late.aborted || signal.aborted) throw error;
    const why = last?.message ?? `nobody answers at ${settings.api}`;
    const hint = last?.hint?.includes('clock')
      ? last.hint
      : 'is this machine on the network of the reconciler, and no firewall between them?';
    throw new ProblemError(problem('UNREACHABLE', why, { hint: `${hint} The line may be pasted again` }));
  }
}

async function untilConnected(state: string, signal: AbortSignal): Promise<void> {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    const holder = await lockHolder(state);
    if (typeof holder === 'object' && holder.connected) return;
    await sleep(200, undefined, { signal });
  }
  const hint = 'journalctl -u oakctl-agent -n 50; it goes on trying';
  throw new ProblemError(problem('TIMED_OUT', `the agent was not connected within ${patience / 1000} s`, { hint }));
}
