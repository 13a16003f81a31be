/** What goes wrong with a source, as problems: the remote refuses or does not answer, the disk is full. */
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { RemoteRefusal } from '../ports.ts';
import type { GitResult } from './command.ts';
import { meaningOf } from './complaint.ts';
import type { Remote } from './remote.ts';

interface Asked {
  readonly name: string;
  readonly remote: Remote;
}

/** Something about the source `name` is not as it must be. */
export function fail(name: string, code: Problem['code'], message: string, more: Partial<Problem> = {}): ProblemError {
  return new ProblemError(problem(code, message, { subject: `source/${name}`, ...more }));
}

/** What a remote says that does not give what was asked for. */
export function unreachable(name: string, remote: Remote, result: GitResult): ProblemError {
  const meaning = meaningOf(result.complaint);
  const isLimit = meaning === 'limited' || result.retryAfter !== undefined;
  const why = withoutUser(result.complaint, remote);
  const refused = (code: Problem['code'], message: string, hint: string): RemoteRefusal =>
    new RemoteRefusal(
      problem(code, message, { subject: `source/${name}`, disposition: 'retry', hint }),
      result.retryAfter ?? 0,
    );
  if (isLimit) {
    const until = result.retryAfter === undefined ? '' : ` for ${Math.ceil(result.retryAfter / 1_000)} s`;
    const message = `${remote.shown} wants to be left alone${until}: ${why}`;
    return refused('SOURCE_LIMITED', message, 'it is asked less often; a longer `poll`, with a webhook, asks less');
  }
  if (meaning === 'denied') return refused('SOURCE_DENIED', `${remote.shown} refuses: ${why}`, deniedHint(remote, why));
  return fail(name, 'SOURCE_UNREACHABLE', `${remote.shown} cannot be read: ${why}`, { disposition: 'retry' });
}

function deniedHint({ url }: Remote, why: string): string {
  if (/^https?:/.test(url)) return 'cluster.yaml names the token by `token_file` of the source; has it expired?';
  if (/host key|known_hosts/i.test(why))
    return 'the host is not the one in `known_hosts`: find out why before you change that file';
  return 'cluster.yaml names the key by `key_file` of the source; may it read this repository?';
}

/** The disk refuses the mirror. */
export function unwritable({ name, remote }: Asked, why: string): ProblemError {
  return fail(name, 'FILE_UNWRITABLE', `the mirror cannot be written: ${withoutUser(why, remote)}`, {
    disposition: 'retry',
    hint: 'free some space below state/: the last accepted commit stays in force until then',
  });
}

/** What the file system refuses is no bug; everything else passes. */
export function diskProblem(context: Asked, error: unknown): unknown {
  const code = error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;
  return code === undefined ? error : unwritable(context, code);
}

/** git repeats the URL in its complaints, and a URL may hold a password. */
export function withoutUser(text: string, remote: Remote): string {
  return text.replaceAll(remote.url, remote.shown).replace(/\/\/[^/@\s]+@/g, '//');
}
