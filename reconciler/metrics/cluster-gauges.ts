/** The state of the cluster as gauges, set anew at each scrape. */
import { Gauge, type Registry } from 'prom-client';
import { copyStatuses, holdCodes } from '../../schemas/status.ts';
import { oakctlVersion } from '../../schemas/version.ts';
import type { SourceView } from '../../schemas/views.ts';
import type { Figures } from '../figures.ts';
import type { Vitals } from '../vitals.ts';
import { createNodeGauges } from './node-gauges.ts';

export interface Seen {
  readonly figures: Figures;
  readonly vitals: Vitals;
}

export interface ClusterGauges {
  /** `took`: ms that the look took, with what this does. */
  show(seen: Seen, took: () => number): void;
}

/** Of an instance; what an agent says beyond the list is told as `other`, so that it cannot make labels. */
const statuses: readonly string[] = [...Object.keys(copyStatuses), 'missing', 'lost'];
const phases = ['standby', 'recovering', 'running'] as const;

export function createClusterGauges(registers: Registry[]): ClusterGauges {
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers });
  gauge('oakctl_build_info', 'Version of the reconciler.', 'version').set({ version: oakctlVersion }, 1);
  const healthy = gauge('oakctl_healthy', 'As /healthz: 1 while broker and store are there.');
  const ready = gauge('oakctl_ready', 'As /readyz: 1 while the reconciler can do all of its work.');
  const phase = gauge('oakctl_phase', 'What the reconciler does: 1 for the phase that it is in.', 'phase');
  const queue = gauge('oakctl_queue_length', 'What waits, by where it waits.', 'queue');
  const services = gauge('oakctl_services', 'Services by outcome.', 'outcome');
  const wanted = gauge('oakctl_instances_wanted', 'Instances that are wanted.');
  const well = gauge('oakctl_instances_healthy', 'Wanted instances that are healthy.');
  const instances = gauge('oakctl_instances', 'Instances by the status of the copy that matters most.', 'status');
  const holds = gauge('oakctl_holds', 'What is held or waits, by reason.', 'code');
  const conditions = gauge('oakctl_conditions', 'Conditions of the cluster, by code.', 'code');
  const overrides = gauge('oakctl_overrides', 'Deviations from sources that people asked for.');
  const nodes = gauge('oakctl_nodes', 'Nodes by state.', 'state');
  const sources = {
    synced: gauge('oakctl_source_synced', '1 while what runs follows the head of the source.', 'source'),
    services: gauge('oakctl_source_services', 'Services that the source describes.', 'source'),
    age: gauge('oakctl_source_check_age_seconds', 'Time since the remote was asked last.', 'source'),
  };
  const scraping = gauge('oakctl_scrape_duration_seconds', 'Time that looking at the cluster took for this answer.');
  const perNode = createNodeGauges(gauge);

  return {
    show({ figures, vitals }, took) {
      const { status } = figures;
      healthy.set(vitals.vital.length === 0 ? 1 : 0);
      ready.set(vitals.vital.length + vitals.working.length === 0 ? 1 : 0);
      for (const one of phases) phase.set({ phase: one }, status.phase === one ? 1 : 0);
      for (const [name, length] of Object.entries(figures.queues)) queue.set({ queue: name }, length);
      for (const [outcome, count] of Object.entries(status.services)) services.set({ outcome }, count);
      wanted.set(status.instances.wanted);
      well.set(status.instances.healthy);
      const copies = figures.services.flatMap((service) => service.instances.map((instance) => instance.status));
      for (const [one, count] of counted(statuses, copies)) instances.set({ status: one }, count);
      const codes = status.holds.map(({ code }) => code);
      for (const [code, count] of counted(Object.keys(holdCodes), codes)) holds.set({ code }, count);
      conditions.reset();
      for (const { code } of status.conditions) conditions.inc({ code });
      overrides.set(status.overrides.length);
      for (const [state, count] of Object.entries(status.nodes)) nodes.set({ state }, count);
      for (const source of status.sources) showSource(source);
      perNode.show(figures.nodes);
      scraping.set(took() / 1000);
    },
  };

  function showSource({ name: source, state, services: count, checked }: SourceView): void {
    sources.synced.set({ source }, state === 'synced' ? 1 : 0);
    sources.services.set({ source }, count);
    if (checked !== undefined) sources.age.set({ source }, checked / 1000);
  }
}

/** How many there are of each; those of none of them are `other`. */
function counted(kinds: readonly string[], found: readonly string[]): Map<string, number> {
  const counts = new Map([...kinds, 'other'].map((kind) => [kind, 0]));
  for (const one of found) {
    const kind = counts.has(one) ? one : 'other';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
