/**
 * What somebody has to know to carry out a job to the letter, as names: agents say which they know (`fields` of their
 * information), the planner asks which a job needs. A member of a run spec is one; what lies deeper in it (`host.network`), and a
 * word of a closed list (`ports.protocol=udp`), is one of its own unless the first version had it. So whatever is added to the
 * schema is sent only to agents that know it, without anybody having to think of it.
 */
import type { TSchema } from 'typebox';
import { withoutEmpty } from './digest.ts';
import { parseRunSpec, RunSpecSchema, runSpecFields } from './run-spec.ts';
import type { RunSpec } from './spec.ts';
import { variablesOf } from './variables.ts';

/** Deeper features that whoever knows the member knows, too. Never added to: what comes later has a name of its own. */
const first: ReadonlySet<string> = new Set(
  [
    'virtualization=container virtualization=process',
    'ports.host ports.container ports.protocol ports.protocol=tcp ports.protocol=udp',
    'limits.memory limits.vcpus',
    'healthcheck.command healthcheck.interval healthcheck.timeout healthcheck.retries healthcheck.start_period',
    'restart=always restart=on_failure restart=never',
    'files.path files.content files.mode',
    'host.devices host.mounts host.mounts.source host.mounts.target host.mounts.read_only host.network host.network=host',
    'host.caps',
    'volumes.name volumes.mount_path volumes.read_only',
  ].flatMap((line) => line.split(' ')),
);

/** Of a job beside its run spec: what holds out of reach, values that are put into the environment, what its image's tag stood for. */
const ofJobs = ['away', 'content', 'variables'];

/** Of the agent itself: it takes archives of images. */
export const takesImages = 'images';

interface Shape {
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
  readonly items?: TSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** All that this version knows: what its agents report. */
export const knownFeatures: readonly string[] = [...runSpecFields, ...deeper(), ...ofJobs, takesImages];

function deeper(): readonly string[] {
  return featuresOf(RunSpecSchema, '').filter((name) => !runSpecFields.includes(name) && !first.has(name));
}

function featuresOf(shape: Shape, path: string): string[] {
  const words = (shape.enum ?? (shape.const === undefined ? [] : [shape.const])).filter(
    (one) => typeof one === 'string',
  );
  const members = Object.entries(shape.properties ?? {}).flatMap(([key, member]) => {
    const below = path === '' ? key : `${path}.${key}`;
    return [below, ...featuresOf(member as Shape, below)];
  });
  const items = shape.items ? featuresOf(shape.items as Shape, path) : [];
  return [...words.map((word) => `${path}=${word}`), ...members, ...items];
}

/** Features that a run spec needs; sorted, each once. Also of one that this version does not know to the end. */
export function featuresNeeded(run: RunSpec): readonly string[] {
  const used = usedBy(withoutEmpty(run), RunSpecSchema, '').filter((name) => !first.has(name));
  const variables = variablesOf(run).length > 0 ? ['variables'] : [];
  return [...new Set([...used, ...variables])].sort();
}

/** Those that this version does not know: nobody may make a copy of it here. */
export function featuresUnknown(run: RunSpec): readonly string[] {
  return featuresNeeded(run).filter((name) => !knownFeatures.includes(name));
}

function usedBy(value: unknown, shape: Shape | undefined, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => usedBy(item, shape?.items as Shape | undefined, path));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, member]) => {
      const below = path === '' ? key : `${path}.${key}`;
      const known = shape?.properties;
      return [below, ...(known && Object.hasOwn(known, key) ? usedBy(member, known[key] as Shape, below) : [])];
    });
  }
  return typeof value === 'string' && (shape?.enum ?? shape?.const) !== undefined ? [`${path}=${value}`] : [];
}

/**
 * A run spec of a later version: what this one knows of it is well-formed, and there is more. It is kept as it is, so that whoever
 * knows it finds it again, and a copy that runs goes on.
 */
export function isLaterRunSpec(value: unknown): boolean {
  return (
    !('disposition' in parseRunSpec(knownPart(value, RunSpecSchema))) && featuresUnknown(value as RunSpec).length > 0
  );
}

/** Without the members, and the words, that this version does not know; what cannot be without them goes, too. */
function knownPart(value: unknown, shape: Shape): unknown {
  if (Array.isArray(value) && shape.items) {
    const items = shape.items as Shape;
    return value.map((item) => knownPart(item, items)).filter((item) => item !== undefined);
  }
  if (typeof value === 'object' && value !== null && shape.properties) {
    const known = shape.properties;
    const members = Object.entries(value).filter(([key]) => Object.hasOwn(known, key));
    const kept = members.map(([key, member]) => [key, knownPart(member, known[key] as Shape)] as const);
    const isLost = kept.some(([key, member]) => member === undefined && shape.required?.includes(key));
    return isLost ? undefined : Object.fromEntries(kept.filter(([, member]) => member !== undefined));
  }
  const words = shape.enum ?? (shape.const === undefined ? undefined : [shape.const]);
  return typeof value === 'string' && words && !words.includes(value) ? undefined : value;
}

/** Does an agent that reports these know the feature? */
export function knows(reported: readonly string[], feature: string): boolean {
  // Agents that knew variables before they had a name know what holds out of reach, which came later.
  return reported.includes(feature) || (feature === 'variables' && reported.includes('away'));
}
