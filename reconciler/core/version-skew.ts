/** Versions of agents beside that of this reconciler, for people. */
import { type Problem, problem } from '../../schemas/problem.ts';
import { versionAge, wireProblem } from '../../schemas/skew.ts';
import { oakctlVersion } from '../../schemas/version.ts';
import type { Node } from './model.ts';

/** Absent: as this reconciler, or nobody knows. */
export function skewOf({ information }: Pick<Node, 'information'>): 'older' | 'newer' | undefined {
  return information && versionAge(information.version, oakctlVersion);
}

/** VERSION_SKEW of a node whose messages are not understood. */
export function foreignProblem({ record, foreign }: Pick<Node, 'record' | 'foreign'>): Problem | undefined {
  if (foreign === undefined) return undefined;
  const { name } = record;
  return { ...wireProblem(`the agent of ${name}`, foreign, 'this reconciler'), subject: `node/${name}` };
}

/** What the versions of all nodes come to: an error for each that is not understood, and one warning while an upgrade is under way. */
export function skewConditions(nodes: Iterable<Node>): readonly Problem[] {
  const all = [...nodes].filter(({ record }) => record.revoked === undefined);
  const foreign = all.flatMap((node) => foreignProblem(node) ?? []);
  const skewed = all.filter((node) => node.foreign === undefined && skewOf(node) !== undefined);
  return skewed.length === 0 ? foreign : [...foreign, skewWarning(skewed)];
}

const shown = 5;

function skewWarning(nodes: readonly Node[]): Problem {
  const words = nodes
    .slice(0, shown)
    .map((node) => `${node.record.name} ${node.information?.version} (${skewOf(node)})`)
    .join(', ');
  const more = nodes.length > shown ? `, and ${nodes.length - shown} more` : '';
  const who = nodes.length === 1 ? '1 agent is' : `${nodes.length} agents are`;
  const message = `${who} of another version than this reconciler (${oakctlVersion}): ${words}${more}`;
  return problem('VERSION_SKEW', message, {
    severity: 'warning',
    disposition: 'wait',
    hint: 'one version apart everything works; upgrade what is older when it suits',
  });
}
