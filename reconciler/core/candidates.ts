/** A node as placement sees it, and what wants a place on it. */
import { featuresNeeded } from '../../schemas/features.ts';
import type { Job } from '../../schemas/messages.ts';
import type { InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { SealedSecret } from '../../schemas/secret-file.ts';
import type { Needs, Placement, RunSpec } from '../../schemas/spec.ts';
import { variablesOf } from '../../schemas/variables.ts';
import type { Node, Policy, Reserved, View } from './model.ts';
import { cordonOf } from './node-facts.ts';
import { type Facts, factsOf } from './node-index.ts';
import { sizeOfDocument } from './part-size.ts';
import { isBack, knowledgeOf, type Presence } from './presence.ts';
import { portKeys } from './reserved.ts';
import { bytesOfSecrets } from './sealed.ts';
import { suspendedText, suspendOfNode } from './suspends.ts';

/** A copy that makes way, and what it holds. */
export interface Leaves extends Pick<Job, 'reserves'> {
  readonly node: NodeId;
  readonly run: RunSpec;
}

/** What wants a place. */
export interface PlaceRequest {
  readonly instance: InstanceName;
  readonly run: RunSpec;
  readonly digest: string;
  readonly placement: Placement;
  /** What it needs beyond its run spec. */
  readonly needs?: Pick<Needs, 'storage' | 'bandwidth_in' | 'bandwidth_out'> | undefined;
  /** What its job says beside the run spec that an agent has to know. */
  readonly asks?: readonly string[] | undefined;
  /** Its secrets, for all who may read them. */
  readonly sealed?: readonly SealedSecret[] | undefined;
  /** Only these nodes (an ordinal's node, or the node of the copy to swap with). Absent: any. */
  readonly only?: ReadonlySet<NodeId> | undefined;
  /** Wins over every score if it is admitted. */
  readonly prefer?: NodeId | undefined;
  /** A copy of the same instance that stops before the new one starts: what it holds counts as free. */
  readonly releases?: Leaves | undefined;
  /** A copy of the same instance stops before the new one starts, wherever it is: its ports are no conflict. */
  readonly yields?: true | undefined;
}

/** What follows from a run spec. */
interface Read {
  /** Variables of its environment. */
  readonly variables: readonly string[];
  /** Bytes of its document in an assignment. */
  readonly bytes: number;
  /** What an agent has to know of its run spec. */
  readonly fields: readonly string[];
  /** Host ports that it publishes, as `portKeys` says them. */
  readonly ports: readonly string[];
}

/** A request with what follows from its run spec. */
export interface Wish extends PlaceRequest, Read {
  readonly service: ServiceName;
}

export interface Candidate {
  readonly node: Node;
  readonly id: NodeId;
  /** As far as its copies are known: one that is back and has not reported them counts as silent. */
  readonly state: Presence['state'];
  /** It spoke, and what it has to say of itself or of its copies is not known yet. */
  readonly isBack: boolean;
  readonly cordon: { readonly cause: string } | undefined;
  readonly facts: Facts;
  /** How many times over its cores may be promised. */
  readonly overcommit: number;
  readonly reserved: Reserved;
  /** Bytes of its assignment, and jobs in it. */
  readonly size: number;
  readonly jobs: number;
}

const nothing: Reserved = {
  memory: 0,
  vcpus: 0,
  vgpus: 0,
  storage: 0,
  bandwidth_in: 0,
  bandwidth_out: 0,
  copies: 0,
  ports: new Map(),
};
/** The node as it is in the world. */
export function candidateOf(view: View, node: Node, policy: Policy, now: Now): Candidate {
  const { id } = node.record;
  const suspend = suspendOfNode(view, id);
  return {
    node,
    id,
    state: knowledgeOf(node, policy, now).state,
    isBack: isBack(node, policy, now),
    cordon: cordonOf(node, policy) ?? (suspend && { cause: suspendedText(suspend) }),
    facts: view.index.spots.get(id)?.facts ?? factsOf(node),
    overcommit: policy.cpuOvercommit,
    reserved: view.reserved.get(id) ?? nothing,
    size: view.sizes.get(id) ?? 0,
    jobs: node.part.jobs.length,
  };
}

/** What a run spec says to placement; worth keeping over the copies of one service. */
export function readOf(run: RunSpec): Read {
  const fields = featuresNeeded(run);
  return { variables: variablesOf(run), bytes: sizeOfDocument(run), fields, ports: portKeys(run) };
}

/**
 * The request of a copy of this service, and what was read from its run spec. Field by field: what is made by spreading two objects
 * has no shape that the compiler is sure of, and a placement took a tenth longer (`npm run bench:plan`), or more.
 */
export function wishFrom(request: PlaceRequest, service: ServiceName, read: Read): Wish {
  return {
    instance: request.instance,
    run: request.run,
    digest: request.digest,
    placement: request.placement,
    needs: request.needs,
    asks: request.asks,
    sealed: request.sealed,
    only: request.only,
    prefer: request.prefer,
    releases: request.releases,
    yields: request.yields,
    service,
    variables: read.variables,
    bytes: read.bytes,
    fields: read.fields,
    ports: read.ports,
  };
}

/** Bytes of a job in an assignment, about: names, digest, source. */
const bytesOfJob = 400;

/** What an assignment has to carry more for this copy. */
export function addedBytes({ node }: Pick<Candidate, 'node'>, { digest, bytes, run, sealed }: Wish): number {
  return bytesOfJob + bytesOfSecrets(run, sealed) + (node.part.documents[digest] ? 0 : bytes);
}

/** The candidate after the copy was placed on it. */
export function withCopy(candidate: Candidate, wish: Wish): Candidate {
  const { run, needs } = wish;
  const { reserved } = candidate;
  return {
    node: candidate.node,
    id: candidate.id,
    state: candidate.state,
    isBack: candidate.isBack,
    cordon: candidate.cordon,
    facts: candidate.facts,
    overcommit: candidate.overcommit,
    reserved: {
      memory: reserved.memory + (run.memory ?? 0),
      vcpus: reserved.vcpus + (run.vcpus ?? 0),
      vgpus: reserved.vgpus + (run.vgpus ?? 0),
      storage: reserved.storage + (needs?.storage ?? 0),
      bandwidth_in: reserved.bandwidth_in + (needs?.bandwidth_in ?? 0),
      bandwidth_out: reserved.bandwidth_out + (needs?.bandwidth_out ?? 0),
      copies: reserved.copies + 1,
      ports: reserved.ports,
    },
    size: candidate.size + addedBytes(candidate, wish),
    jobs: candidate.jobs + 1,
  };
}
