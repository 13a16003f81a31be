/** How Oakestra's clients are told what is refused. */
import type { FastifyError, FastifyInstance } from 'fastify';
import { isProblemError, type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import { statusOf } from '../failures.ts';

/** Problems that Oakestra answers as an entity that cannot be processed. */
const unprocessable = ['DESCRIPTOR_INVALID', 'UNKNOWN_FIELD', 'NAME_INVALID', 'FIELD_NOT_SERVED', 'YAML_INVALID'];

/** `{code, message}`, and the problems as all others get them. */
export function answerAsOakestra(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>(async (error, request, reply) => {
    const problems = isProblemError(error) ? error.problems : undefined;
    const code = problems ? codeOf(problems) : (error.statusCode ?? 500);
    if (code >= 500 && !problems) request.log.error({ err: error, url: request.url }, 'request failed by a bug');
    const message = problems
      ? problems.map(sentence).join('; ')
      : code >= 500
        ? 'a bug; the log tells more'
        : error.message;
    return reply.code(code).send({ code, message, ...(problems && { problems }) });
  });
}

function codeOf(problems: readonly Problem[]): number {
  const first = problems.find(({ severity }) => severity !== 'warning');
  return first && unprocessable.includes(first.code) ? 422 : statusOf(problems);
}

function sentence({ subject, message, hint }: Problem): string {
  return `${subject === undefined ? '' : `${subject}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

/** 409 with file and commit. */
export function refuseGit(service: {
  readonly name: string;
  readonly source: string;
  readonly file?: string;
  readonly line?: number;
  readonly commit?: string;
}): void {
  if (service.source === 'direct') return;
  const commit = service.commit === undefined ? '' : ` at commit ${service.commit}`;
  const message = `git owns it: ${service.file ?? 'a file'}${commit}, source ${service.source}`;
  const place = {
    ...(service.file !== undefined && { file: service.file }),
    ...(service.line !== undefined && { line: service.line }),
  };
  throw new ProblemError(
    problem('OWNED_BY_GIT', message, { subject: service.name, ...place, hint: 'change it there and push' }),
  );
}
