/** Volumes, mounts and configs of a service of a compose file. Pure. */
import { posix } from 'node:path';
import type { Findings } from '../../schemas/findings.ts';
import type { Path } from '../../schemas/yaml.ts';
import { type ComposeFile, type Fields, isFields, listOf, servicesOf } from './compose-file.ts';
import { nameOf } from './names.ts';

interface Mount {
  readonly type: string;
  readonly source: string | undefined;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What services mount of the folder in which the compose file lies, as written. */
export function localSources(root: Fields): readonly string[] {
  const mounts = servicesOf(root).flatMap(([, service]) => listOf(service['volumes']).map(mountOf));
  return mounts.flatMap(({ type, source }) => (type === 'bind' && source !== undefined ? [source] : []));
}

/** `volumes`, `host.mounts` and `files` of a microservice. `local`: sources that are text files beside the compose file. */
export function storageOf(
  written: unknown,
  { root, findings }: ComposeFile,
  local: ReadonlySet<string>,
  path: Path,
): { volumes: object[]; mounts: object[]; files: object[] } {
  const found = { volumes: [] as object[], mounts: [] as object[], files: [] as object[] };
  listOf(written).forEach((one, index) => {
    const at = [...path, index];
    const { type, source, target, readOnly } = mountOf(one);
    const how = readOnly ? { read_only: true } : {};
    const lost = (message: string, hint?: string): void => findings.warning('COMPOSE_LOST', at, message, hint);
    if (type === 'volume' && source !== undefined) {
      const users = usersOf(source, root);
      if (users > 1) lost(`volume ${source} is shared by ${users} services: here each instance has its own`);
      found.volumes.push({ name: nameOf(source, at, findings), mount_path: target, ...how });
    } else if (type === 'volume')
      lost(`${target} has a volume without a name: it begins empty with each copy`, 'name it');
    else if (type !== 'bind' || source === undefined) lost(`${target}: a mount of type ${type} is not served`);
    else if (posix.isAbsolute(source)) found.mounts.push({ source, target, ...how });
    else if (local.has(source)) found.files.push({ path: target, from: `./${posix.normalize(source)}`, ...how });
    else
      lost(
        `${source} is a path on this machine, which nodes do not have`,
        'use a volume, or `files` for texts of the repository',
      );
  });
  return found;
}

/** `files` of a microservice, from the configs that it names. */
export function filesOf(written: unknown, root: Fields, path: Path, findings: Findings): object[] {
  const configs = isFields(root['configs']) ? root['configs'] : {};
  return listOf(written).flatMap((one, index): object[] => {
    const at = [...path, index];
    const { source, target, mode } = isFields(one) ? one : { source: one };
    const config = configs[String(source)];
    const place = target === undefined ? `/${String(source)}` : String(target);
    const rights = mode === undefined ? {} : { mode: rightsOf(mode) };
    if (isFields(config) && typeof config['content'] === 'string')
      return [{ path: place, content: config['content'], ...rights }];
    if (isFields(config) && typeof config['file'] === 'string') {
      return [{ path: place, from: `./${posix.normalize(config['file'])}`, ...rights }];
    }
    findings.warning('COMPOSE_LOST', at, `config ${String(source)} has neither a file nor a content`);
    return [];
  });
}

function mountOf(one: unknown): Mount {
  if (isFields(one)) {
    const { type = 'volume', source, target, read_only: readOnly } = one;
    return {
      type: String(type),
      source: source === undefined ? undefined : String(source),
      target: String(target),
      readOnly: readOnly === true,
    };
  }
  const [first = '', second, mode = ''] = String(one).split(':', 3);
  const isPath = /^[./~]/.test(first);
  return {
    type: isPath && second !== undefined ? 'bind' : 'volume',
    source: second === undefined ? undefined : first,
    target: second ?? first,
    readOnly: mode.split(',').includes('ro'),
  };
}

function usersOf(volume: string, root: Fields): number {
  const mounts = servicesOf(root).map(([, service]) => listOf(service['volumes']).map(mountOf));
  return mounts.filter((own) => own.some(({ source }) => source === volume)).length;
}

/** `0440` is read as the number 440 by YAML 1.2, and means octal all the same. */
function rightsOf(mode: unknown): string {
  const digits = /^[0-7]{1,4}$/.test(String(mode)) ? String(mode) : Number(mode).toString(8);
  return digits.padStart(4, '0');
}
