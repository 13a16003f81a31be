/** The API's own description, for programs and for people. It holds no secret and is the same for everybody. */
import type { FastifyInstance } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { needs } from '../access.ts';
import { describeApi } from '../openapi/document.ts';
import { createPageFiles, documentPath, page, pageHeaders, pagePath } from '../openapi/page.ts';

/** Where Oakestra has the document. */
const oakestraPath = '/docs/openapi.json';

export function docsRoutes(app: FastifyInstance): void {
  let text: string | undefined;
  for (const path of [documentPath, oakestraPath])
    app.get(path, needs('open'), async (_request, reply) => {
      // Routes do not change once the server answers.
      text ??= JSON.stringify(describeApi(app.routeRights));
      return reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(text);
    });
  const open = createPageFiles();
  app.get(pagePath, needs('open'), async (_request, reply) =>
    reply.headers(pageHeaders).type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page),
  );
  app.get<{ Params: { file: string } }>(`${pagePath}/:file`, needs('open'), async ({ params }, reply) => {
    const found = await open(params.file);
    if (!found) throw new ProblemError(problem('NOT_FOUND', `the page has no ${params.file}`, { hint: pagePath }));
    return reply.headers(pageHeaders).type(found.type).header('cache-control', 'max-age=3600').send(found.content);
  });
}
