/** Secrets of a microservice: which files they become, and in which version. What they are stays encrypted beside the run spec. */
import type { FileTexts } from './descriptor-files.ts';
import { mountOver } from './descriptor-host.ts';
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { filePathFault, isWithin } from './host-access.ts';
import { type Problem, problem } from './problem.ts';
import { parseSecret, placeOfValue, type SealedSecret, secretFile, secretReference } from './secret-file.ts';
import type { RunSecret, RunSpec } from './spec.ts';
import type { Path } from './yaml.ts';

type Written = NonNullable<Microservice['secrets']>[number];

/** Secrets of a document, each read once. */
export interface SecretShelf {
  /** What the repository has under this name, or what is wrong with it. */
  get(name: string): SealedSecret | readonly Problem[];
}

const usualFolder = '/run/secrets';
const usualMode = 0o444;

/** `texts`: what references stand for, the secrets among them. */
export function createSecretShelf(texts: FileTexts): SecretShelf {
  const known = new Map<string, SealedSecret | readonly Problem[]>();
  const read = (name: string): SealedSecret | readonly Problem[] => {
    const reference = secretReference(name);
    const file = secretFile(name);
    const text = Object.hasOwn(texts, reference) ? texts[reference] : undefined;
    if (text === undefined) {
      const hint = `oakctl secret set ${name} --commit`;
      return [problem('SECRET_INVALID', `there is no secret ${name} (${file}) in the repository`, { hint })];
    }
    const { secret, problems } = parseSecret(text, file, name);
    return secret ?? problems;
  };
  return {
    get(name) {
      const found = known.get(name) ?? read(name);
      known.set(name, found);
      return found;
    },
  };
}

/** The secrets of a run spec, sorted by path. */
export function toSecrets(
  written: readonly Written[],
  shelf: SecretShelf,
  path: Path,
  findings: Findings,
): readonly RunSecret[] {
  return written
    .map((one, index) => toSecret(one, shelf, [...path, index], findings))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function toSecret(written: Written, shelf: SecretShelf, path: Path, findings: Findings): RunSecret {
  const { name, source, key, path: place, mode } = typeof written === 'string' ? ({ name: written } as const) : written;
  const secret = source === undefined ? fromShelf(name, key, shelf, path, findings) : undefined;
  if (source === 'node' && key !== undefined)
    findings.error(
      'DESCRIPTOR_INVALID',
      [...path, 'key'],
      `the file of a node is one value, without keys`,
      'leave it out',
    );
  const run: RunSecret = {
    name,
    ...(source === undefined ? {} : { source }),
    ...(secret ? { version: secret.version } : {}),
    ...(key === undefined ? {} : { key }),
    path: place ?? `${usualFolder}/${name}${key === undefined ? '' : `.${key}`}`,
    mode: mode === undefined ? usualMode : Number.parseInt(mode, 8),
  };
  const fault = filePathFault(run.path);
  if (fault) findings.error('DESCRIPTOR_INVALID', [...path, 'path'], fault);
  return run;
}

/** What the repository has, if it has this value. */
function fromShelf(
  name: string,
  key: string | undefined,
  shelf: SecretShelf,
  path: Path,
  findings: Findings,
): SealedSecret | undefined {
  const found = shelf.get(name);
  if (!('name' in found)) {
    for (const one of found) say(one, path, findings);
    return undefined;
  }
  const value = placeOfValue(name, key);
  if (!found.leaves.some(([at]) => at === value)) {
    const keys = found.leaves.flatMap(([at]) => /^[^:]+:(.+):$/.exec(at)?.[1] ?? []);
    const message =
      key === undefined ? `the secret ${name} has several values` : `the secret ${name} has no key ${key}`;
    findings.error('SECRET_INVALID', path, message, `key: ${keys[0] ?? 'left out'}`);
  }
  return found;
}

/** With the place in the file of the secret; the finding itself stands where the descriptor names it. */
function say({ code, message, hint, file, line }: Problem, path: Path, findings: Findings): void {
  const where = file === undefined ? '' : `${file}:${line ?? 1}: `;
  findings.error(code, path, `${where}${message}`, hint);
}

/** What cannot go together with secrets: two files of one path, and places below a volume or a folder of the host. */
export function checkSecrets(run: Omit<RunSpec, 'code'>, path: Path, findings: Findings): void {
  const { secrets = [], files = [], volumes = [], host = {} } = run;
  const at = [...path, 'secrets'];
  for (const [index, secret] of secrets.entries()) {
    const others = [...secrets.slice(index + 1), ...files].map((one) => one.path);
    const twice = others.some((one) => isWithin(one, secret.path) || isWithin(secret.path, one));
    if (twice) findings.error('DESCRIPTOR_INVALID', at, `${secret.path} is there twice, or a file and a folder`);
    const volume = volumes.find(({ mount_path }) => isWithin(secret.path, mount_path));
    const over = volume?.mount_path ?? mountOver(secret.path, host)?.target;
    if (over !== undefined) findings.error('DESCRIPTOR_INVALID', at, `${secret.path} lies in the mount ${over}`);
  }
}

/** Names of those that the repository has. */
export function secretNames(secrets: readonly Pick<RunSecret, 'name' | 'source'>[]): readonly string[] {
  return secrets.filter(({ source }) => source === undefined).map(({ name }) => name);
}

/** The secrets that a run spec names, as they lie in the repository. */
export function sealedOf({ secrets = [] }: Pick<RunSpec, 'secrets'>, shelf: SecretShelf): readonly SealedSecret[] {
  return [...new Set(secretNames(secrets))].flatMap((name) => {
    const found = shelf.get(name);
    return 'name' in found ? [found] : [];
  });
}
