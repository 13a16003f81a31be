/** Tells repositories, and their hosts, what became of their revisions. Never writes to what is read from there. */
import { canonicalJson } from '../schemas/digest.ts';
import type { Log } from '../schemas/io/log.ts';
import type { Clock } from '../schemas/ports.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import type { ControlPlane } from './control-plane.ts';
import { type SourceReport, sourceReport } from './core/source-report.ts';
import { createPatience, createRounds, type Patience } from './rounds.ts';

/** A place where reports of one source go. */
export interface ReportSink {
  readonly source: string;
  /** `status`: the whole report; `commit`: the state of a commit only. */
  readonly kind: 'status' | 'commit';
  /** Rejects with a ProblemError when it did not arrive. `superseded`: the commit that is pending there, and will stay so. */
  send(report: SourceReport, superseded: string | undefined, signal: AbortSignal): Promise<void>;
}

export interface WriteBack {
  start(): void;
  /** Sinks that could not be told. */
  conditions(): readonly Problem[];
  stop(): Promise<void>;
}

export interface WriteBackDeps {
  readonly control: Pick<ControlPlane, 'cluster' | 'status' | 'services'>;
  readonly sinks: readonly ReportSink[];
  readonly clock: Clock;
  readonly log: Log;
}

/** ms between two looks: what changes faster is told once. */
const pulse = 5_000;
const firstPause = 10_000;
const longestPause = 900_000;

interface Sent {
  readonly patience: Patience;
  key?: string;
  report?: SourceReport;
  trouble?: Problem;
}

export function createWriteBack({ control, sinks, clock, log }: WriteBackDeps): WriteBack {
  const patience = () => createPatience(clock, firstPause, longestPause);
  const sent = new Map<ReportSink, Sent>(sinks.map((sink) => [sink, { patience: patience() }]));

  const tell = async (sink: ReportSink, last: Sent, report: SourceReport, signal: AbortSignal): Promise<void> => {
    const key = keyOf(sink, report);
    if (key === last.key || !last.patience.ready()) return;
    const before = last.report;
    const superseded = before?.state === 'pending' && before.commit !== report.commit ? before.commit : undefined;
    try {
      await sink.send(report, superseded, signal);
      Object.assign(last, { key, report });
      last.patience.succeeded();
      delete last.trouble;
    } catch (error) {
      if (!isProblemError(error)) throw error;
      last.trouble = error.problem;
      last.patience.failed();
      if (!signal.aborted) log('warn', 'write_back_failed', { source: sink.source, problem: error.problem });
    }
  };
  const rounds = createRounds({ clock, log }, pulse, async (signal) => {
    const { phase, sources, holds } = control.status();
    if (phase !== 'running') return;
    const services = control.services();
    const told = [...sent].map(async ([sink, last]) => {
      const source = sources.find(({ name }) => name === sink.source);
      const own = services.filter((one) => one.source === sink.source);
      const report = source && sourceReport(control.cluster, source, own, holds);
      if (report) await tell(sink, last, report, signal);
    });
    await Promise.all(told);
  });

  return {
    start() {
      if (sinks.length > 0) rounds.start();
    },
    conditions: () => [...sent.values()].flatMap(({ trouble }) => (trouble === undefined ? [] : [trouble])),
    stop: rounds.stop,
  };
}

function keyOf({ kind }: ReportSink, { commit, state, description, document }: SourceReport): string {
  return kind === 'status' ? canonicalJson(document) : canonicalJson([commit, state, description]);
}
