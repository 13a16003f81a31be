/** Bodies and queries of requests, checked before anything reads them. */
import type { FastifyInstance } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { checkForeign } from '../../schemas/parse.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** The value, known to fit the schema; no body is an empty object. Throws BAD_REQUEST or UNKNOWN_FIELD. */
export function checkBody<S extends TSchema>(schema: S, value: unknown): Static<S> {
  const checked = checkForeign<Static<S>>(schema, value ?? {});
  if (checked.ok) return checked.value;
  throw new ProblemError(checked.problem);
}

/** Who did it, when a client does not say. */
export const unnamedActor = 'api';

/** A query as fastify gives it. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** All values of a repeatable key. */
export function manyOf(query: Query, key: string): readonly string[] {
  const value = query[key];
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** A natural number up to `maximum`; BAD_REQUEST for anything else, undefined when absent. */
export function numberOf(query: Query, key: string, maximum: number): number | undefined {
  const value = query[key];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,15})$/.test(value) && Number(value) <= maximum)
    return Number(value);
  throw malformed(key, `a number from 0 to ${maximum}`);
}

/** `true` or `false` (default); BAD_REQUEST for anything else. */
export function flagOf(query: Query, key: string): boolean {
  const value = query[key] ?? 'false';
  if (value === 'true' || value === 'false') return value === 'true';
  throw malformed(key, '`true` or `false`');
}

function malformed(key: string, wanted: string): ProblemError {
  return new ProblemError(problem('BAD_REQUEST', `\`${key}\` must be ${wanted}`, { subject: key }));
}

/** A route with a name in its path. */
export interface NamedRoute {
  Params: { name: string };
}

/** For clients that send the header of JSON with every request, also where there is no body. */
export function takeEmptyBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}
