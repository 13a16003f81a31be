/** A node that lost its ledger and still runs copies: what is wanted explains them by their names and digests. */
import { emptyPart, type Part } from '../../schemas/assignment.ts';
import type { CopyReport, Fence, Job } from '../../schemas/messages.ts';
import { compareFence, type NodeId, parseCopyId, parseInstanceName } from '../../schemas/names.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { variablesOf } from '../../schemas/variables.ts';
import { optionalAway } from './away.ts';
import { runtimeFor } from './filters.ts';
import type { Desired, Node, View } from './model.ts';
import { labelsOf } from './node-facts.ts';
import { besideOf } from './place.ts';
import { secretsOf } from './sealed.ts';
import { optionalContent } from './tags.ts';
import { wantedOf } from './wanted.ts';

/** What an agent says of a copy that its ledger does not know, and that was started once. */
const kept: ReadonlySet<string> = new Set(['starting', 'running', 'unhealthy', 'stopped']);

/** The part that the node most likely had before it was at `fence`. What is not in it is not explained, and goes. */
export function regainedPart(view: View, id: NodeId, fence: Fence): Part {
  const node = view.nodes.get(id);
  const found = [...(view.copiesOn.get(id)?.values() ?? [])].flatMap(({ report }) => {
    const regained = node && report && regain(view, node, report);
    return regained ? [regained] : [];
  });
  return {
    ...emptyPart,
    fence: found.reduce((last, { job }) => later(last, job.copy), fence),
    jobs: found.map(({ job }) => job),
    documents: Object.fromEntries(found.map(({ job, run }) => [job.digest, run])),
  };
}

function regain(view: View, node: Node, { instance, copy, digest, status }: CopyReport) {
  const service = parseInstanceName(instance)?.service;
  const desired = service === undefined ? undefined : wantedOf(view, service);
  const run = desired && runOf(view, desired, digest);
  const runtime = run && runtimeFor(node, run);
  if (!desired || !runtime || !kept.has(status)) return undefined;
  const job: Job = {
    ...{ instance, copy, digest, runtime, source: desired.source },
    want: status === 'stopped' ? 'stopped' : 'run',
    ...besideOf(labelsOf(node), { needs: desired.spec.needs, variables: variablesOf(run) }),
    ...secretsOf(run, desired.sealed, node.record.recipient),
    ...optionalAway(desired.spec),
    ...optionalContent(view, { service: desired.spec.name, digest, node }),
  };
  return { job, run };
}

/** What a copy of this digest runs: the wanted version, or the last good one. */
function runOf({ rollouts }: View, { spec }: Desired, digest: string): RunSpec | undefined {
  if (spec.digest === digest) return spec.run;
  const good = rollouts.get(spec.name)?.good;
  return good?.digest === digest ? good.run : undefined;
}

/** No later word to the node may be older than what made its copies. */
function later(fence: Fence, copy: string): Fence {
  const pair = parseCopyId(copy);
  return pair && compareFence(pair, fence) > 0 ? { ...pair, by: fence.by } : fence;
}
