/** What a node refuses because its owner did not allow it, whoever asks. */
import { featuresUnknown } from '../../schemas/features.ts';
import { type Grant, missingGrant } from '../../schemas/grants.ts';
import { type InstanceName, parseInstanceName } from '../../schemas/names.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { RunSpec } from '../../schemas/spec.ts';

/** AGENT_TOO_OLD when a run spec asks for what this version does not know: a copy would be another one than was meant. */
export function laterRefusal(instance: InstanceName, run: RunSpec): Problem | undefined {
  const unknown = featuresUnknown(run);
  if (unknown.length === 0) return undefined;
  return problem('AGENT_TOO_OLD', `this agent does not know ${unknown.join(', ')}`, {
    subject: instance,
    hint: 'upgrade the agent of this node; copies that are there go on',
  });
}

/** HOST_NOT_GRANTED with the missing line of policy.yaml, by what is written alone; undefined when nothing is missing. */
export function hostRefusal(instance: InstanceName, run: RunSpec, grants: readonly Grant[]): Problem | undefined {
  const service = parseInstanceName(instance)?.service ?? instance;
  const missing = missingGrant(service, run, grants);
  if (!missing) return undefined;
  const message = `this node does not grant ${missing.what} to ${service}; policy.yaml, below grants, would need: ${missing.line}`;
  return problem('HOST_NOT_GRANTED', message, {
    subject: instance,
    hint: "policy.yaml lies beside the node's agent.yaml and is read when the agent starts",
  });
}
