/** What became of a revision of a source, for those who look at the repository and not at the cluster. Pure. */
import type { Hold } from '../../schemas/status.ts';
import type { Outcome, ServiceView, SourceView } from '../../schemas/views.ts';

/** As hosts of git know them: not decided yet, as wanted, not as wanted. */
export type ReportState = 'pending' | 'success' | 'failure';

export interface SourceReport {
  /** The commit that it is about: the head. */
  readonly commit: string;
  readonly state: ReportState;
  /** At most 140 characters. */
  readonly description: string;
  /** Without anything that changes by itself. */
  readonly document: Readonly<Record<string, unknown>>;
}

const mostCharacters = 140;
const bad: ReadonlySet<Outcome> = new Set(['failed', 'rolled_back', 'orphaned']);
const good: ReadonlySet<Outcome> = new Set(['settled', 'unconfirmed', 'stopped']);

/** undefined while nothing is known of the source, or it cannot be reached. `services`: those that it owns. */
export function sourceReport(
  cluster: string,
  source: SourceView,
  services: readonly ServiceView[],
  holds: readonly Hold[],
): SourceReport | undefined {
  const commit = source.head ?? source.accepted;
  if (commit === undefined || source.state === 'unreachable' || source.state === 'unread') return undefined;
  const own = holds.filter(({ subject }) => subject === `source/${source.name}`);
  const [state, text] = verdictOf(source, services, own);
  const description = text.length > mostCharacters ? `${text.slice(0, mostCharacters - 1)}…` : text;
  const document = {
    cluster,
    source: source.name,
    ...{ branch: source.branch, path: source.path, head: commit },
    ...(source.accepted === undefined ? {} : { accepted: source.accepted }),
    ...{ state, description },
    services: services.map(({ name, outcome, message, healthy, slots, digest, commit: from }) => {
      return { name, outcome, message, healthy, slots, digest, ...(from === undefined ? {} : { commit: from }) };
    }),
    holds: own.map(({ id, code, message }) => ({ ...(id === undefined ? {} : { id }), code, message })),
    problems: source.problems.map(({ code, message, file, line }) => {
      return { code, message, ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) };
    }),
  };
  return { commit, state, description, document };
}

function verdictOf(
  { state, problems }: SourceView,
  services: readonly ServiceView[],
  [hold]: readonly Hold[],
): readonly [ReportState, string] {
  const [wrong] = problems.filter(({ severity }) => severity !== 'warning');
  if (state === 'invalid' || wrong) return ['failure', wrong ? placed(wrong) : 'the revision is not valid'];
  if (hold) return ['pending', `held: ${hold.code}: ${hold.message}`];
  if (state === 'behind') return ['pending', 'the revision is not in force yet'];
  const failed = services.find(({ outcome }) => bad.has(outcome));
  if (failed) return ['failure', `${failed.name}: ${failed.outcome}: ${failed.message}`];
  const waiting = services.filter(({ outcome }) => !good.has(outcome));
  const [first] = waiting;
  if (first)
    return [
      'pending',
      `${services.length - waiting.length} of ${services.length} services are as wanted; ${first.name}: ${first.message}`,
    ];
  return ['success', services.length === 1 ? '1 service is as wanted' : `${services.length} services are as wanted`];
}

function placed({
  file,
  line,
  message,
}: {
  readonly file?: string;
  readonly line?: number;
  readonly message: string;
}): string {
  return file === undefined ? message : `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}
