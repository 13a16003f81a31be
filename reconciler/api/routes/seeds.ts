/** The seeds' HTTP: registration of nodes, and the question of a cluster manager to its scheduler. */
import type { FastifyInstance } from 'fastify';
import { checkMessage } from '../../../schemas/parse.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { isOakestraRegistration, PlainJob, parseRegistration } from '../../../schemas/seed.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { needs } from '../access.ts';

/** For nodes that have no credential yet. */
export function registerRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.post('/api/node/register', needs('node'), async ({ body, headers }, reply) => {
    if (isOakestraRegistration(body)) {
      const hint = 'send id, name, ip and port, as seed 000 has it; or join with oakctl agent';
      const what = 'this is the registration of a worker of Oakestra itself, which this version does not serve';
      return reply.code(501).send({ problems: [problem('FIELD_NOT_SERVED', what, { hint })] });
    }
    const parsed = parseRegistration(body);
    if (!parsed.ok) throw new ProblemError(parsed.problem);
    const bearer = /^Bearer +(\S{1,512})$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer === undefined) {
      const hint = 'oakctl nodes token create; then -H "Authorization: Bearer <token>"';
      throw new ProblemError(problem('TOKEN_INVALID', 'registration needs a join token as bearer', { hint }));
    }
    return control.register(parsed.value, bearer);
  });
}

/** For people. */
export function calculateRoutes(app: FastifyInstance): void {
  app.post('/api/calculate/deploy', needs('survey'), async ({ body, control }, reply) => {
    const checked = checkMessage<PlainJob>(PlainJob, jobIn(body));
    if (!checked.ok) throw new ProblemError(checked.problem);
    const answer = control.calculate(checked.value);
    return reply.code(answer.workers.length > 0 ? 200 : 409).send(answer);
  });
}

/** The job itself, or an envelope around it. */
function jobIn(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return 'job' in body ? body.job : body;
}
