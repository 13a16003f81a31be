/** What must hold at every step, whatever happens: DESIGN's promises, and I1 to I12 of its reference on reliability. */
import type { AgentEvent } from '../../../agent/ports.ts';
import type { CopyKey } from '../../../agent/runtimes/runtime.ts';
import type { Records } from '../../../reconciler/core/records.ts';
import type { BusMessage } from '../../../schemas/ports.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import type { MemoryCluster } from '../../support/memory-cluster.ts';
import type { Facts, Machine } from './facts.ts';
import { createPlantRules } from './plants.ts';
import { createDataRules } from './rules-data.ts';
import { createDiskRules } from './rules-disk.ts';
import { createEngineRules } from './rules-engine.ts';
import { createPlanRules, type PlanRules } from './rules-plan.ts';
import { createRivalRules } from './rules-rival.ts';
import { createRunRules } from './rules-runs.ts';
import { createViewRules } from './rules-view.ts';
import { createWireRules } from './rules-wire.ts';
import type { Witness } from './witness.ts';

export interface RuleDeps {
  readonly facts: Facts;
  readonly witness: Witness;
  readonly now: () => number;
  readonly wall: () => number;
  /** Services whose digest, number and place nobody ever changes. */
  readonly anchors: ReadonlySet<string>;
  /** Undefined while it is being made. */
  readonly cluster: () => MemoryCluster | undefined;
}

export interface Rules {
  /** The reconciler publishes. */
  published(topic: string, payload: string): void;
  /** A rival publishes. */
  rivalPublished(topic: string, payload: string): void;
  /** The reconciler gets a message. */
  heard(message: BusMessage): void;
  /** An agent publishes. */
  reported(machine: Machine, topic: string, payload: string): void;
  agentEvent(machine: Machine, event: AgentEvent): void;
  /** An engine is asked for a change. */
  begins(machine: Machine, kind: EngineCall, key: { readonly instance: string; readonly copy: string }): void;
  /** An engine started a copy. */
  started(machine: Machine, key: CopyKey, run: RunSpec): void;
  /** A job came to its own end. */
  ended(machine: Machine, key: CopyKey, code: number): void;
  /** It was answered that this node is removed, and nobody said that it is lost. */
  removed(machine: Machine): void;
  /** Somebody asks for a plan that he has seen. */
  planAsked: PlanRules['asked'];
  /** The node of the seeds' wire registers. */
  registers(): void;
  /** A process of the reconciler begins. */
  begun(): void;
  /** What the reconciler said last was decided so many ms ago. */
  planned(ms: number): void;
  /** These records are on disk, as far as whoever saved them knows. */
  saved(records: Records): void;
  /** Now and then: compares what the reconciler shows with what is. */
  look(): void;
}

export type EngineCall = 'create' | 'start' | 'stop' | 'remove';

export function createRules(deps: RuleDeps): Rules {
  const disk = createDiskRules(deps);
  const runs = createRunRules(deps, disk);
  const data = createDataRules(deps);
  const plants = createPlantRules(deps);
  const plans = createPlanRules(deps, disk);
  const wire = createWireRules(deps, { disk, runs, data, plants, plans });
  const rival = createRivalRules(deps);
  const engine = createEngineRules(deps);
  const view = createViewRules(deps, wire);
  return {
    published: wire.published,
    rivalPublished(topic, payload) {
      const message = wire.rivalPublished(topic, payload);
      if (message && !('command' in message)) rival.assignment(message);
    },
    heard(message) {
      plans.stirred();
      view.heard(message);
      runs.heard(message);
      data.heard(message);
    },
    reported: wire.reported,
    agentEvent(machine, event) {
      deps.witness.saw(textOf(machine, event), { quiet: true });
      engine.agentEvent(machine, event);
    },
    begins(machine, kind, key) {
      engine.begins(machine, kind, key);
      runs.begins(machine, kind, key);
    },
    started(machine, key, run) {
      runs.started(machine, key);
      data.started(machine, key, run);
    },
    ended: runs.ended,
    removed: view.removed,
    registers: plants.registers,
    planAsked: plans.asked,
    begun() {
      plans.stirred();
      disk.begun();
      wire.begun();
      runs.begun();
    },
    planned: wire.planned,
    saved(records) {
      disk.saved(records);
      runs.saved(records);
      plants.saved(records);
    },
    look() {
      rival.look();
      view.look();
    },
  };
}

function textOf({ name }: Machine, event: AgentEvent): string {
  if (event.kind === 'judged')
    return `${name} ${event.outcome} ${event.message} ${event.fence.epoch}.${event.fence.gen} ${event.why ?? ''}`;
  if (event.kind === 'ledger_saved') return `${name} ledger ${event.part.fence.epoch}.${event.part.fence.gen}`;
  if ('step' in event) return `${name} ${event.kind} ${event.step.kind} ${event.step.instance}/${event.step.copy}`;
  if (event.kind === 'status')
    return `${name} status ${event.report.instance}/${event.report.copy} ${event.report.status}`;
  return `${name} ${event.kind}`;
}
