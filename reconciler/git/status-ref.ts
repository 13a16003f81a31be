/**
 * Pushes what became of revisions to a ref of its own, `refs/oakctl/status/<cluster>`: one commit without history, a file
 * `<source>.json` for each source of the cluster that reads the repository.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProblemCode, ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceReport } from '../core/source-report.ts';
import type { ReportSink } from '../write-back.ts';
import type { GitResult } from './command.ts';
import { isPushRefusal, meaningOf } from './complaint.ts';
import { initFor } from './mirror.ts';
import { diskProblem, withoutUser } from './refusals.ts';
import type { GitRepository } from './repository.ts';

const author = 'oakctl <oakctl@localhost>';

/** What is pushed is made here, and thrown away: in the mirror it would stay for ever. */
const scratch = 'status.git';
/** More is not told by a remote, in bytes. */
const mostTold = 1024 * 1024;

export interface StatusRefOptions {
  readonly cluster: string;
  /** ms since 1970. */
  readonly now: () => number;
  readonly repository: Pick<GitRepository, 'remote' | 'folder' | 'run' | 'inOrder'>;
}

/** Makes the sinks of the sources that read one repository. Nobody else writes that ref: two clusters have two. */
export function createStatusRef({ cluster, now, repository }: StatusRefOptions): (source: string) => ReportSink {
  const { remote, folder, run, inOrder } = repository;
  const ref = `refs/oakctl/status/${cluster}`;
  const place = join(folder, scratch);
  const texts = new Map<string, string>();

  const made = async (args: readonly string[], input: string | undefined, signal: AbortSignal): Promise<string> => {
    const result = await run({ args, ...(input !== undefined && { repository: place, input }) }, signal);
    if (result.code !== 0) {
      const hint = 'free some space below state/: it is tried again';
      throw untold('FILE_UNWRITABLE', hint, `the status cannot be written: ${result.complaint}`);
    }
    return result.stdout.toString('latin1').trim();
  };
  const push = async (subject: string, about: string, signal: AbortSignal): Promise<GitResult> => {
    await rm(place, { recursive: true, force: true });
    await made([...initFor(about), '--', place], undefined, signal);
    const entries: string[] = [];
    for (const [source, text] of texts) {
      entries.push(`100644 blob ${await made(['hash-object', '-w', '--stdin'], text, signal)}\t${source}.json\n`);
    }
    const tree = await made(['mktree'], entries.join(''), signal);
    const by = `${author} ${Math.floor(now() / 1000)} +0000`;
    const body = `tree ${tree}\nauthor ${by}\ncommitter ${by}\n\n${subject}\n`;
    const commit = await made(['hash-object', '-w', '-t', 'commit', '--stdin'], body, signal);
    const args = ['push', '--progress', '--', remote.url, `+${commit}:${ref}`];
    return run({ repository: place, args, remote: { most: mostTold } }, signal);
  };

  return (source) => ({
    source,
    kind: 'status',
    /** PUSH_REFUSED, SOURCE_DENIED or SOURCE_LIMITED when the remote does not want it, SOURCE_UNREACHABLE when it cannot be asked. */
    send: ({ document, description, commit: about }: SourceReport, _superseded, signal) =>
      inOrder(async () => {
        texts.set(source, `${JSON.stringify(document, null, 2)}\n`);
        const { code, complaint } = await push(`${cluster}: ${source}: ${description}`, about, signal);
        await rm(place, { recursive: true, force: true });
        if (code === 0) return;
        const message = `${remote.shown} does not take ${ref}: ${withoutUser(complaint, remote)}`;
        throw untold(...reasonOf(complaint, ref), message, source);
      }).catch((error: unknown) => {
        throw diskProblem({ name: source, remote }, error);
      }),
  });
}

/** Code and hint. A login that may not push comes before what else the remote says of it. */
function reasonOf(complaint: string, ref: string): readonly [ProblemCode, string] {
  const meaning = meaningOf(complaint);
  const login = '`write_back` needs a login that may push: leave it out where there is none';
  if (meaning === 'denied') return ['SOURCE_DENIED', login];
  if (meaning === 'limited') return ['SOURCE_LIMITED', 'it is tried again, less often'];
  if (isPushRefusal(complaint))
    return [
      'PUSH_REFUSED',
      `a rule or a hook there forbids ${ref}: let this login force-push it, or leave \`write_back\` out`,
    ];
  return ['SOURCE_UNREACHABLE', 'it is tried again, and what runs goes on: is `url` right, and the host up?'];
}

function untold(code: ProblemCode, hint: string, message: string, source?: string): ProblemError {
  const details = { ...(source !== undefined && { subject: `source/${source}` }), hint, disposition: 'retry' } as const;
  return new ProblemError(problem(code, message, details));
}
