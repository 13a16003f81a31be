/**
 * Oakestra's API of its root orchestrator: its paths (the manual's spelling of applications, too), its fields and its words. Answers
 * are plain JSON, and codes fit. What git owns is read here, and changed in git.
 */
import type { FastifyError, FastifyInstance } from 'fastify';
import { isProblemError, type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import type { Accounts } from '../../accounts/accounts.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { needs } from '../access.ts';
import { takeEmptyBodies } from '../bodies.ts';
import { statusOf } from '../failures.ts';
import { oakestraAccountRoutes } from './accounts.ts';
import { oakestraApplicationRoutes } from './applications.ts';
import { oakestraServiceRoutes } from './services.ts';

/** Problems that Oakestra answers as an entity that cannot be processed. */
const unprocessable = ['DESCRIPTOR_INVALID', 'UNKNOWN_FIELD', 'NAME_INVALID', 'FIELD_NOT_SERVED', 'YAML_INVALID'];

export function oakestraRoutes(app: FastifyInstance, accounts: Accounts, desk: OakestraDesk): void {
  void app.register(async (routes) => {
    takeEmptyBodies(routes);
    answerAsOakestra(routes);
    oakestraAccountRoutes(routes, accounts);
    oakestraApplicationRoutes(routes, accounts, desk);
    oakestraServiceRoutes(routes, desk);
    notServed(routes);
  });
}

/** What Oakestra has and we have not says so. */
function notServed(app: FastifyInstance): void {
  const missing = [
    ['POST', '/api/user', 'mails that reset passwords: an admin sets another one'],
    ['PUT', '/api/user', 'mails that reset passwords: an admin sets another one'],
    ['GET', '/api/organization', 'organizations'],
    ['POST', '/api/organization', 'organizations'],
  ] as const;
  for (const [method, url, what] of missing)
    app.route({
      method,
      url,
      ...needs('known'),
      handler: async (_request, reply) => reply.code(501).send({ code: 501, message: `this cluster has no ${what}` }),
    });
}

/** `{code, message}`, and the problems as all others get them. */
function answerAsOakestra(app: FastifyInstance): void {
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
