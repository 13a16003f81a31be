/** What a node refuses because its owner did not allow it, whoever asks. */
import { featuresUnknown } from '../../schemas/features.ts';
import { type Grant, missingGrant } from '../../schemas/grants.ts';
import { type ImageRules, imageRefused } from '../../schemas/image-rules.ts';
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

/** IMAGE_NOT_ALLOWED for what the node's owner lets no new container be made of. */
export function imageRefusal(instance: InstanceName, run: RunSpec, rules: ImageRules | undefined): Problem | undefined {
  const why = imageRefused(run, rules);
  if (why === undefined) return undefined;
  const message = `policy.yaml of this node does not allow image ${run.code}: ${why}`;
  const hint = 'policy.yaml is read when the agent starts; containers that are there go on';
  return problem('IMAGE_NOT_ALLOWED', message, { subject: instance, hint });
}

/** IMAGE_NOT_ALLOWED for archives of images where the node's owner names the registries that bytes come from: they come from none. */
export function archiveRefusal(rules: ImageRules | undefined): Problem | undefined {
  if (!rules?.registries) return undefined;
  const message = 'policy.yaml of this node names the registries that images come from, and an archive comes from none';
  return problem('IMAGE_NOT_ALLOWED', message, { hint: '`images` alone allows archives' });
}
