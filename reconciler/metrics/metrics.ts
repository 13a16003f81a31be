/**
 * The metrics of a reconciler. What happens is counted as it happens, by wrappers around its ports and by what its loop tells; what
 * is, is looked at when somebody asks. Labels have values from closed lists, or from settings; nodes are as many as {@link mostNodes}.
 */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Meter } from '../meter.ts';
import { createClusterGauges, type Seen } from './cluster-gauges.ts';
import { createHttpMeter, type HttpMeter } from './http.ts';
import { meterPorts, type PortMeter } from './ports.ts';

export interface Metrics extends PortMeter {
  readonly meter: Meter;
  readonly http: HttpMeter;
  readonly contentType: string;
  /** All of it as text. Asked again within {@link fresh}, or by several at once: the same text. */
  scrape(look: () => Seen): Promise<string>;
}

/** ms for which a text is given again: a cluster of thousands of nodes is not looked at for each of many that ask. */
const fresh = 1_000;

export function createMetrics(now: () => number = () => performance.now()): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const passes = new Histogram({
    name: 'oakctl_reconcile_duration_seconds',
    help: 'Time from the first look at what changed until its plan is on disk and on its way to the nodes.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const actions = new Histogram({
    name: 'oakctl_plan_actions',
    help: 'Actions (starts, stops, changes of copies) that one pass of the reconciler decided.',
    buckets: [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers,
  });
  const services = new Counter({
    name: 'oakctl_planned_services_total',
    help: 'Services that were planned, each time that they were.',
    registers,
  });
  const events = new Counter({
    name: 'oakctl_events_total',
    help: 'What the journal was told of, by kind.',
    labelNames: ['kind'],
    registers,
  });
  const gauges = createClusterGauges(registers);
  let last: { readonly at: number; readonly text: Promise<string> } | undefined;

  return {
    ...meterPorts(registers, now),
    http: createHttpMeter(registers),
    meter: {
      reconciled(pass) {
        passes.observe(pass.ms / 1000);
        actions.observe(pass.actions);
        services.inc(pass.services);
      },
      happened: (kind) => events.inc({ kind }),
    },
    contentType: registry.contentType,
    scrape(look) {
      if (last && now() - last.at < fresh) return last.text;
      const begun = now();
      gauges.show(look(), () => now() - begun);
      last = { at: begun, text: registry.metrics() };
      return last.text;
    },
  };
}
