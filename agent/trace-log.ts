/** From what happens in an agent to lines of its log. */
import type { Log, LogLevel } from '../schemas/io/log.ts';
import type { AgentEvent } from './ports.ts';

/** Writes events as log lines: one event, one line, a constant name and short fields. */
export function createTrace(log: Log): (event: AgentEvent) => void {
  return (event) => log(levelOf(event), event.kind, fieldsOf(event));
}

function levelOf(event: AgentEvent): LogLevel {
  switch (event.kind) {
    case 'step_failed':
      return event.bug === undefined ? 'warn' : 'error';
    case 'judged':
      return event.outcome === 'conflict' ? 'error' : 'debug';
    case 'message_refused':
    case 'ledger_problem':
    case 'engine_unknown':
    case 'stream_failed':
    case 'warning':
    case 'disconnected':
      return 'warn';
    case 'step_aborted':
    case 'ledger_saved':
      return 'debug';
    default:
      return 'info';
  }
}

function fieldsOf(event: AgentEvent): Record<string, unknown> {
  const { kind: _kind, ...fields } = event;
  switch (event.kind) {
    case 'ledger_saved': {
      const { fence, jobs } = event.part;
      return { epoch: fence.epoch, gen: fence.gen, by: fence.by, jobs: jobs.length, ms: Math.round(event.ms) };
    }
    case 'step_done':
      return { ...stepFields(event.step), ms: Math.round(event.ms) };
    case 'step_aborted':
      return stepFields(event.step);
    case 'step_failed':
      return { ...stepFields(event.step), problem: event.problem, ...(event.bug !== undefined && { err: event.bug }) };
    case 'status': {
      const { instance, copy, status, reason } = event.report;
      return { instance, copy, status, ...(reason && { reason }) };
    }
    default:
      return fields;
  }
}

function stepFields({ kind, instance, copy, runtime }: Extract<AgentEvent, { kind: 'step_done' }>['step']) {
  return { step: kind, instance, copy, runtime };
}
