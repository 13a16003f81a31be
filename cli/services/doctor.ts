/** Looks at this machine and at the cluster, and says what is missing and the command that mends it. */

import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { oakctlVersion } from '../../schemas/version.ts';
import type { ClusterStatus, NodeView, SourceView } from '../../schemas/views.ts';
import { count } from '../render/counts.ts';

export interface Finding {
  readonly check: string;
  /** `failed`: something is missing. */
  readonly state: 'ok' | 'warning' | 'failed';
  readonly message: string;
  /** What mends it. */
  readonly hint?: string;
}

/** Findings about the cluster that the command talks to. A reconciler that does not answer is one finding. */
export async function checkCluster(
  connect: () => Promise<Pick<ApiClient, 'status' | 'nodes' | 'url'>>,
  skew: () => Promise<number | undefined>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const api = await connect();
    const [status, nodes] = await Promise.all([api.status(signal), api.nodes([], signal)]);
    const answers = ok('reconciler', `${status.cluster} answers at ${api.url}`);
    return [answers, judgeVersion(status.version), judgeSkew(await skew()), ...judgeCluster(status, nodes)];
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return error.problems.map((p) => failed('reconciler', p.message, p.hint ?? '`oakctl up` starts one here'));
  }
}

/** Findings from what the reconciler says. */
export function judgeCluster(status: ClusterStatus, nodes: readonly NodeView[]): readonly Finding[] {
  return [
    ...judgeNodes(nodes),
    ...status.sources.map(judgeSource),
    ...judgeHolds(status.holds),
    ...status.conditions.map((p) =>
      p.severity === 'warning' ? warning(p.code, p.message, p.hint) : failed(p.code, p.message, p.hint),
    ),
  ];
}

function judgeNodes(nodes: readonly NodeView[]): readonly Finding[] {
  const online = nodes.filter(({ state }) => state === 'online');
  const away = nodes.filter(({ state }) => state === 'suspect' || state === 'lost');
  const runtimes = [...new Set(online.flatMap((node) => node.runtimes))].sort();
  const cordoned = online.filter((node) => node.cordoned);
  return [
    online.length > 0
      ? ok('nodes', `${online.length} of ${nodes.length} online, runtimes ${runtimes.join(', ') || 'none'}`)
      : failed('nodes', 'no node is online', '`oakctl up` starts workers, `oakctl nodes token create` admits others'),
    ...(online.length > 0 && !runtimes.includes('docker')
      ? [
          warning(
            'runtimes',
            'no node runs containers: container services are held with NO_RUNTIME',
            'start a Docker Engine, then `oakctl stop` and `oakctl up --runtime docker`',
          ),
        ]
      : []),
    ...away.map((node) =>
      failed(
        `node ${node.name}`,
        `${node.state}: it does not report`,
        '`oakctl agent --folder <folder>` on it, or `oakctl up`',
      ),
    ),
    ...cordoned.map((node) =>
      warning(
        `node ${node.name}`,
        `cordoned: ${node.cordoned?.cause}`,
        `\`oakctl nodes inspect ${node.name}\` says more`,
      ),
    ),
    ...nodes.flatMap((node) =>
      node.problems.map((p) =>
        failed(`node ${node.name}`, `${p.code}: ${p.message}`, `\`oakctl nodes inspect ${node.name}\` says more`),
      ),
    ),
  ];
}

function judgeSource(source: SourceView): Finding {
  const check = `source ${source.name}`;
  if (source.state === 'synced')
    return ok(check, `${count(source.services, 'service')} at ${source.accepted?.slice(0, 7) ?? 'no commit'}`);
  const [first] = source.problems;
  const fallback = source.state === 'invalid' ? '`oakctl validate .` in a working copy' : '`oakctl sync` tries again';
  return failed(check, first?.message ?? `it is ${source.state}`, first?.hint ?? fallback);
}

/** They pass by themselves. */
const passing: ReadonlySet<HoldCode> = new Set([
  'IN_PROGRESS',
  'SETTLING',
  'UPDATE_QUEUED',
  'CANARY',
  'DEPENDENCY_WAITING',
  'RECOVERING',
  'LEDGER_UNREAD',
  'ANCESTRY_UNKNOWN',
  'SILENT_NODE',
]);
const shownHolds = 10;

function judgeHolds(holds: readonly Hold[]): readonly Finding[] {
  const waiting = holds.filter(({ code }) => !passing.has(code));
  if (waiting.length === 0) return [ok('holds', 'nothing waits for anybody')];
  const shown = waiting.slice(0, shownHolds).map((hold) => {
    const hint = hold.hint ?? (hold.id ? `\`oakctl approve ${hold.id}\`` : '`oakctl status` says more');
    return failed(`hold ${hold.code}`, `${hold.subject}: ${hold.message}`, hint);
  });
  const more = waiting.length - shown.length;
  return more > 0 ? [...shown, failed('holds', `${more} more`, '`oakctl status` shows all')] : shown;
}

/** Commands of one version work with reconcilers of the version before and after. */
function judgeVersion(reconciler: string): Finding {
  if (reconciler === oakctlVersion) return ok('versions', `the reconciler is ${reconciler}, as this command`);
  const message = `this command is ${oakctlVersion}, the reconciler ${reconciler}`;
  return warning('versions', message, 'one version apart everything works; upgrade what is older when it suits');
}

/** Largest difference of two clocks that nobody minds, in ms. */
const toleratedSkew = 30_000;

function judgeSkew(skew: number | undefined): Finding {
  if (skew === undefined) return ok('clocks', 'the reconciler does not say what time it has');
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) <= toleratedSkew)
    return ok('clocks', `the reconciler's clock is within ${seconds + 1} s of this one`);
  const side = skew > 0 ? 'ahead of' : 'behind';
  const hint = '`timedatectl set-ntp true` on the machine that is wrong';
  return warning('clocks', `the reconciler's clock is ${seconds} s ${side} this one: times in events differ`, hint);
}

export function ok(check: string, message: string): Finding {
  return { check, state: 'ok', message };
}

export function warning(check: string, message: string, hint?: string): Finding {
  return { check, state: 'warning', message, ...(hint === undefined ? {} : { hint }) };
}

export function failed(check: string, message: string, hint?: string): Finding {
  return { check, state: 'failed', message, ...(hint === undefined ? {} : { hint }) };
}
