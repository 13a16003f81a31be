/**
 * Volumes of instances: named for cluster, node, instance and volume, so that agents that share an engine do not share data. They
 * are made before the container, and never removed here: removing data is asked for, never implied.
 */
import type { InstanceName } from '../../../schemas/names.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { CopyPlan } from '../runtime.ts';
import { type Engine, limits, statusOf } from './engine.ts';
import { labels, type Owner } from './labels.ts';

/** Name of a volume on its engine. */
export function volumeName({ cluster, node }: Owner, instance: InstanceName, volume: string): string {
  return `oakctl-${cluster.slice(0, 12)}-${node}.${instance}.${volume}`;
}

/** Makes the volumes that are not there yet. One of that name that is not ours is a NAME_CONFLICT and stays as it is. */
export async function ensureVolumes(engine: Engine, owner: Owner, plan: CopyPlan, signal: AbortSignal): Promise<void> {
  for (const { name: volume } of plan.run.volumes ?? []) {
    const name = volumeName(owner, plan.instance, volume);
    const found = await labelsOfVolume(engine, name, signal);
    if (!found) await createVolume(engine, owner, { name, instance: plan.instance }, signal);
    else if (found[labels.cluster] !== owner.cluster || found[labels.instance] !== plan.instance) throw foreign(name);
  }
}

async function labelsOfVolume(
  engine: Engine,
  name: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const found = await engine.call(limits.read, signal, (docker) => docker.getVolume(name).inspect());
    // Without labels the engine says null, whatever the types say.
    return (found.Labels as Record<string, string> | null) ?? {};
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function createVolume(
  engine: Engine,
  { cluster, node }: Owner,
  { name, instance }: { readonly name: string; readonly instance: InstanceName },
  signal: AbortSignal,
): Promise<void> {
  const Labels = { [labels.cluster]: cluster, [labels.node]: node, [labels.instance]: instance };
  await engine.call(limits.change, signal, (docker) => docker.createVolume({ Name: name, Labels }));
}

function foreign(name: string): ProblemError {
  return new ProblemError(
    problem('NAME_CONFLICT', `a volume named ${name} exists and is not of this instance`, {
      subject: name,
      hint: `look at it with \`docker volume inspect ${name}\``,
    }),
  );
}
