/** Secrets on their way to nodes: encrypted, and for each node with its own data key alone. Nothing here can read them. */
import type { Job, Sealed } from '../../schemas/messages.ts';
import type { SealedSecret } from '../../schemas/secret-file.ts';
import type { RunSecret, RunSpec } from '../../schemas/spec.ts';
import type { Node } from './model.ts';

type Secrets = readonly SealedSecret[];

/**
 * Secrets of the wanted version, and behind them what a way back needs: those of the last good version, however many others came
 * since, and else of each the version before it. `before`: as this made it last.
 */
export function withFormer(now: Secrets = [], before: Secrets = [], good?: Pick<RunSpec, 'secrets'>): Secrets {
  const others = before.filter(({ name, version }) => !sealedFor({ name, version }, now));
  const needed = (good?.secrets ?? []).filter(isOfRepository).flatMap((one) => sealedFor(one, others) ?? []);
  const former = now.flatMap(({ name }) => {
    const isNeeded = needed.some((one) => one.name === name);
    return isNeeded ? [] : (others.find((one) => one.name === name) ?? []);
  });
  return [...now, ...new Set(needed), ...former];
}

/** Are these the files that a version with the same run spec had? What is kept behind them says nothing. */
export function isSameSealed(before: Secrets = [], now: Secrets = []): boolean {
  return now.every(({ id }, index) => id === before[index]?.id);
}

/** Secrets of the repository that a node cannot read, in the version that the run spec names. */
export function unreadableOn(
  { record }: Pick<Node, 'record'>,
  { secrets = [] }: RunSpec,
  sealed: Secrets = [],
): string[] {
  const names = secrets.filter(isOfRepository).filter((one) => {
    const found = sealedFor(one, sealed);
    return found?.keys[record.recipient ?? ''] === undefined;
  });
  return [...new Set(names.map(({ name }) => name))];
}

/** Secrets that are to be files of the node, and that it does not have. Of a node that did not speak yet nothing is known. */
export function absentOn({ information }: Pick<Node, 'information'>, { secrets = [] }: RunSpec): string[] {
  if (!information) return [];
  const names = secrets.filter((one) => !isOfRepository(one)).map(({ name }) => name);
  return [...new Set(names)].filter((name) => !information.secrets?.includes(name));
}

function isOfRepository({ source }: RunSecret): boolean {
  return source === undefined;
}

/** Those that nobody can have any more: the version that the run spec names is not known. */
export function unknownSecrets({ secrets = [] }: RunSpec, sealed: Secrets = []): string[] {
  return secrets
    .filter(isOfRepository)
    .filter((one) => !sealedFor(one, sealed))
    .map(({ name, version }) => `${name} in version ${version}`);
}

/** What the job of a copy says of its secrets: for this recipient, and nobody else. */
export function secretsOf(
  { secrets = [] }: RunSpec,
  sealed: Secrets | undefined,
  recipient: string | undefined,
): Pick<Job, 'secrets'> {
  const found = new Map<string, Sealed>();
  for (const one of secrets) {
    const secret = sealedFor(one, sealed);
    const key = secret?.keys[recipient ?? ''];
    if (!secret || key === undefined) continue;
    const { name, leaves, modified, mac } = secret;
    found.set(name, { name, key, values: leaves.map(([path, text]) => ({ path, text })), modified, mac });
  }
  return found.size > 0 ? { secrets: [...found.values()] } : {};
}

/** Bytes that these secrets add to a job, about. */
export function bytesOfSecrets({ secrets = [] }: RunSpec, sealed: Secrets = []): number {
  if (secrets.length === 0) return 0;
  const names = new Set(secrets.filter(isOfRepository).map(({ name }) => name));
  let bytes = 0;
  for (const name of names) {
    const secret = sealed.find((one) => one.name === name);
    bytes += bytesAround + (secret?.leaves.reduce((sum, [path, text]) => sum + path.length + text.length + 24, 0) ?? 0);
  }
  return bytes;
}

/** Name, MAC, time and the data key for one recipient. */
const bytesAround = 800;

function sealedFor(
  { name, version }: { readonly name: string; readonly version?: string },
  sealed: Secrets = [],
): SealedSecret | undefined {
  return sealed.find((one) => one.name === name && one.version === version);
}
