/** Statuses of commits at GitHub, GitLab and Gitea (Forgejo). Sources: their REST documentation, "Commit statuses". */
import type { CommitStatusSettings } from '../../schemas/commit-status.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ReportState } from '../core/source-report.ts';
import type { ReportSink } from '../write-back.ts';
import { type Post, post } from './post.ts';

type State = ReportState | 'superseded';

const states = {
  github: { pending: 'pending', success: 'success', failure: 'failure', superseded: 'error' },
  gitea: { pending: 'pending', success: 'success', failure: 'failure', superseded: 'error' },
  gitlab: { pending: 'running', success: 'success', failure: 'failed', superseded: 'canceled' },
} as const;

/** How hosts answer for a commit that they do not have. */
const gone: ReadonlySet<number> = new Set([404, 422]);

/** The sink of a source: its statuses are called `oakctl/<cluster>`. NOTIFICATION_FAILED when one is not taken. */
export function createCommitStatus(source: string, cluster: string, settings: CommitStatusSettings): ReportSink {
  const tell = async (commit: string, state: State, description: string, signal: AbortSignal): Promise<void> => {
    const fault = await post(statusPost(settings, cluster, { commit, state, description }), signal);
    if (!fault) return;
    // Its branch was rewritten, and nobody waits for it there.
    if (state === 'superseded' && gone.has(fault.status ?? 0)) return;
    const hint = fault.hint ?? `${settings.api}: does ${settings.project} exist there, and may the token set statuses?`;
    const details = { subject: `source/${source}`, disposition: 'retry', hint } as const;
    throw new ProblemError(problem('NOTIFICATION_FAILED', `the status of a commit: ${fault.why}`, details));
  };
  return {
    source,
    kind: 'commit',
    async send({ commit, state, description }, superseded, signal) {
      if (superseded !== undefined)
        await tell(superseded, 'superseded', `${commit.slice(0, 10)} came after it`, signal);
      await tell(commit, state, description, signal);
    },
  };
}

/** The request that sets a status. Pure. */
export function statusPost(
  { kind, tokenFile, project, api }: CommitStatusSettings,
  cluster: string,
  { commit, state, description }: { readonly commit: string; readonly state: State; readonly description: string },
): Post {
  const name = `oakctl/${cluster}`;
  const headers = { 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'oakctl' };
  const told = states[kind][state];
  if (kind === 'gitlab') {
    return {
      url: `${api}/projects/${encodeURIComponent(project)}/statuses/${commit}`,
      headers,
      body: JSON.stringify({ state: told, name, description }),
      secret: { file: tokenFile, header: (token) => ['private-token', token] },
      // It takes no state twice, and none after the last one, also with another description.
      isKnown: (status, text) => status === 400 && text.includes('Cannot transition status'),
    };
  }
  const scheme = kind === 'gitea' ? 'token' : 'Bearer';
  return {
    url: `${api}/repos/${project}/statuses/${commit}`,
    headers,
    body: JSON.stringify({ state: told, context: name, description }),
    secret: { file: tokenFile, header: (token) => ['authorization', `${scheme} ${token}`] },
  };
}
