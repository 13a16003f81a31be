/** How far a source is, and how that is shown. */
import type { Mono } from '../schemas/ports.ts';
import type { Problem } from '../schemas/problem.ts';
import type { SourceView } from '../schemas/views.ts';
import type { Source } from './context.ts';
import type { SourceRecord } from './core/records.ts';
import type { Pin } from './core/revisions.ts';
import { withoutPassword } from './head-guard.ts';

/** What is known of one source beyond its record. */
export interface Progress {
  head?: string;
  checkedAt?: Mono;
  /** The last attempt ended, well or not. */
  tried: boolean;
  failures: number;
  /** The remote is there and refused: ms for which it wants to be left alone. */
  refusal?: number | undefined;
  problems: readonly Problem[];
  state: SourceView['state'];
  pass?: Promise<void>;
  /** Look once more after this pass, and read the head even if it is the same. */
  again: boolean;
  force: boolean;
}

export function sourceView(
  source: Source,
  p: Progress,
  known: {
    readonly record: SourceRecord | undefined;
    readonly pin: Pin | undefined;
    readonly ignored: number;
    readonly now: Mono;
  },
): SourceView {
  const { record, pin } = known;
  return {
    name: source.name,
    url: withoutPassword(source.url),
    branch: source.branch,
    path: source.path,
    ...(record ? { accepted: record.commit } : {}),
    ...(p.head === undefined ? {} : { head: p.head }),
    state: p.state,
    ...(pin && { pin: { source: source.name, ...pin } }),
    ...(p.checkedAt === undefined ? {} : { checked: known.now - p.checkedAt }),
    services: Object.values(record?.files ?? {}).reduce((sum, file) => sum + file.services.length, 0),
    ignored: known.ignored,
    problems: p.problems,
  };
}
