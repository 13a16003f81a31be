/** Where would this job go? The planner's own placement, asked and not told: nothing is recorded, promised or published. */
import type { CalculateAnswer } from '../schemas/api.ts';
import { instanceName } from '../schemas/names.ts';
import { ProblemError } from '../schemas/problem.ts';
import { type PlainJob, serviceOfJob } from '../schemas/seed.ts';
import type { Context } from './context.ts';
import { createPlacer } from './core/place.ts';

/** Ids of the nodes that could take it, the best first; or none, and why. Throws what is wrong with the job itself. */
export function calculateDeploy({ deps, world, policy }: Context, job: PlainJob): CalculateAnswer {
  const parsed = serviceOfJob(job, deps.settings, 'job');
  if (!parsed.ok) throw new ProblemError(parsed.problem);
  const { name, run, digest, placement, needs } = parsed.value;
  const placer = createPlacer(world, name, policy(), deps.clock.now());
  const ranked = placer.rank({ instance: instanceName(name, 0), run, digest, placement, needs });
  if ('nodes' in ranked) return { workers: ranked.nodes.map(({ record }) => record.id), job };
  const { code, message, hint } = ranked.hold;
  return { workers: [], job, problems: [{ code, message, ...(hint === undefined ? {} : { hint }) }] };
}
