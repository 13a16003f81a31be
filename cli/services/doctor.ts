/** Looks at this machine and at the cluster, and says what is missing and what to do about it. */

import type { ClusterStatus, NodeView } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import { count } from '../render/counts.ts';

export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly message: string;
  readonly hint?: string;
}

/** What the machine has; gathered by machine.ts. */
export interface Machine {
  readonly node: string;
  /** Text of `git --version`; absent without git. */
  readonly git?: string;
  /** API version of the Docker Engine; absent when none answers. */
  readonly engine?: string;
  /** Can a process listen on 127.0.0.11? Workers of `up` have such addresses. */
  readonly loopback: boolean;
}

/** Findings about this machine. */
export function checkMachine(machine: Machine): readonly Finding[] {
  return [
    isNewEnough(machine.node)
      ? ok('node', `Node ${machine.node}`)
      : failed('node', `Node ${machine.node} is too old`, 'install Node 20.19 or newer'),
    machine.git ? ok('git', machine.git) : failed('git', 'there is no git', 'install git: sources are read with it'),
    machine.engine
      ? ok('docker', `a Docker Engine answers (API ${machine.engine})`)
      : warning(
          'docker',
          'no Docker Engine answers: container services are held with NO_RUNTIME',
          'install Docker, start it, or set DOCKER_HOST',
        ),
    machine.loopback
      ? ok('addresses', 'workers can have loopback addresses of their own')
      : warning(
          'addresses',
          '127.0.0.11 cannot be used: workers of `oakctl up` could not publish the same port',
          'add loopback addresses to the interface lo',
        ),
  ];
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19);
}

/** Findings about the cluster that the command talks to. A reconciler that does not answer is one finding. */
export async function checkCluster(
  connect: () => Promise<Pick<ApiClient, 'status' | 'nodes' | 'url'>>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const api = await connect();
    const [status, nodes] = await Promise.all([api.status(signal), api.nodes([], signal)]);
    return [ok('reconciler', `${status.cluster} answers at ${api.url}`), ...judgeCluster(status, nodes)];
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return error.problems.map((p) => failed('reconciler', p.message, p.hint));
  }
}

/** Findings from what the reconciler says. */
export function judgeCluster(status: ClusterStatus, nodes: readonly NodeView[]): readonly Finding[] {
  const away = nodes.filter(({ state }) => state === 'suspect' || state === 'lost');
  const online = nodes.filter(({ state }) => state === 'online');
  const runtimes = [...new Set(online.flatMap((node) => node.runtimes))].sort();
  return [
    online.length > 0
      ? ok('nodes', `${online.length} online, runtimes ${runtimes.join(', ') || 'none'}`)
      : warning('nodes', 'no node is online', '`oakctl up` starts workers, `oakctl nodes token create` admits others'),
    ...(online.length > 0 && !runtimes.includes('docker')
      ? [
          warning(
            'runtimes',
            'no node runs containers: container services are held with NO_RUNTIME',
            'start a Docker Engine, then `oakctl stop` and `oakctl up --runtime docker`',
          ),
        ]
      : []),
    ...away.map((node) => failed(`node ${node.name}`, `${node.state}: it does not report`, 'is its agent running?')),
    ...nodes.flatMap((node) => node.problems.map((p) => failed(`node ${node.name}`, `${p.code}: ${p.message}`))),
    ...status.sources.map((source) =>
      source.state === 'synced'
        ? ok(
            `source ${source.name}`,
            `${count(source.services, 'service')} at ${source.accepted?.slice(0, 7) ?? 'no commit'}`,
          )
        : failed(`source ${source.name}`, source.problems[0]?.message ?? source.state, source.problems[0]?.hint),
    ),
    ...status.conditions.map((p) =>
      p.severity === 'warning' ? warning(p.code, p.message, p.hint) : failed(p.code, p.message, p.hint),
    ),
  ];
}

function ok(check: string, message: string): Finding {
  return { check, state: 'ok', message };
}

function warning(check: string, message: string, hint?: string): Finding {
  return { check, state: 'warning', message, ...(hint === undefined ? {} : { hint }) };
}

function failed(check: string, message: string, hint?: string): Finding {
  return { check, state: 'failed', message, ...(hint === undefined ? {} : { hint }) };
}
