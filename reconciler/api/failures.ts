/** Failures of requests as answers: `{problems}` and a status. A bug tells the client an id, and the log everything. */
import { randomBytes } from 'node:crypto';
import type { FastifyError, FastifyInstance } from 'fastify';
import { isProblemError, type Problem, type ProblemCode, problem } from '../../schemas/problem.ts';

/** Statuses of codes that are not 400. */
const statuses: Partial<Record<ProblemCode, number>> = {
  UNAUTHORIZED: 401,
  TOKEN_INVALID: 401,
  FORBIDDEN: 403,
  TOO_MANY: 429,
  REVOKED: 403,
  SIGNATURE_INVALID: 403,
  NOT_FOUND: 404,
  SOURCE_REF_MISSING: 404,
  OWNED_BY_GIT: 409,
  OWNED_DIRECTLY: 409,
  REFUSED: 409,
  NAME_TAKEN: 409,
  NAME_CONFLICT: 409,
  RECORDS_MISSING: 409,
  UNAVAILABLE: 503,
  UNREACHABLE: 503,
  TIMED_OUT: 503,
  RUNTIME_UNAVAILABLE: 503,
  SOURCE_UNREACHABLE: 503,
  REGISTRY_UNREACHABLE: 503,
  SOURCE_DAMAGED: 503,
  FILE_UNWRITABLE: 503,
  FILE_DAMAGED: 503,
};

/** The status that says best what went wrong: that of the first error. */
export function statusOf(problems: readonly Problem[]): number {
  const first = problems.find(({ severity }) => severity !== 'warning') ?? problems[0];
  return (first && statuses[first.code]) ?? 400;
}

/** Answers every failure of `app` as problems. */
export function answerFailures(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) => {
    const hint = 'GET /api/docs shows all routes, /api/openapi.json tells programs';
    const what = `the API has no ${request.method} ${request.url.split('?')[0]}`;
    return reply.code(404).send({ problems: [problem('NOT_FOUND', what, { hint })] });
  });
  app.setErrorHandler<FastifyError>(async (error, request, reply) => {
    if (isProblemError(error)) return reply.code(statusOf(error.problems)).send({ problems: error.problems });
    const status = error.statusCode ?? 500;
    if (status >= 400 && status < 500) {
      const code = status === 413 ? 413 : 400;
      return reply
        .code(code)
        .send({ problems: [problem('BAD_REQUEST', sentence(error, request.routeOptions.bodyLimit))] });
    }
    const id = randomBytes(6).toString('hex');
    request.log.error({ err: error, bug: id, method: request.method, url: request.url }, 'request failed by a bug');
    const hint = `the reconciler's log tells more under this id`;
    const message = `the reconciler failed on this request by a bug, ${id}`;
    return reply.code(500).send({ problems: [problem('UNAVAILABLE', message, { hint })] });
  });
}

function sentence(error: FastifyError, bodyLimit: number | undefined): string {
  if (error.statusCode === 413 && bodyLimit !== undefined)
    return `the body is larger than ${bodyLimit / 1024 ** 2} MiB`;
  return `the request is malformed: ${error.message}`;
}
