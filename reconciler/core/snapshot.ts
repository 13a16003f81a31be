/**
 * What one commit of a source says, as data. Files are read one by one (and cached by path and blob); the snapshot is composed of
 * readings. Unknown is never empty: whatever cannot be read keeps its last good version and makes the snapshot incomplete.
 */
import { classifyFile, type FileClass, mayCount } from '../../schemas/classify.ts';
import {
  checkServices,
  type DescriptorOptions,
  type ParsedService,
  parseDescriptor,
} from '../../schemas/descriptor.ts';
import type { FileTexts } from '../../schemas/descriptor-files.ts';
import type { ServiceName } from '../../schemas/names.ts';
import { parseNodesFile } from '../../schemas/nodes-file.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { belowRoot, type Selection } from '../../schemas/selection.ts';
import { parseRepositorySettings, type RepositorySettings } from '../../schemas/settings.ts';
import type { Listing } from './model.ts';
import type { SourceRecord } from './records.ts';

/** One file of a commit that may count. `text` is absent when it is too long to be read, or not there. */
export interface SnapshotFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly blob: string;
  readonly mode: string;
  readonly text?: string | undefined;
  /** Contents of the files that it takes in, by how it names them. */
  readonly files?: FileTexts;
}

/** A service as the source says it. */
export type SnapshotService = ParsedService;

/** What one file says. */
export interface Reading {
  readonly kind: 'descriptor' | 'nodes' | 'settings' | 'ignored' | 'invalid';
  readonly services: readonly SnapshotService[];
  readonly listings?: readonly Listing[];
  readonly settings?: RepositorySettings;
  readonly problems: readonly Problem[];
  /** What a descriptor takes in, as it names it. */
  readonly references?: readonly string[];
  /** Files in whose place it stands, because it says how they differ here. */
  readonly patches?: readonly string[];
}

export interface SourceSnapshot {
  readonly source: string;
  readonly commit: string;
  readonly services: ReadonlyMap<ServiceName, SnapshotService>;
  /** Last good version of services that the source had and that this commit does not show. */
  readonly lastGood: ReadonlyMap<ServiceName, SnapshotService>;
  /** Entries of nodes.yaml; undefined when the source has no such file. The last good ones when it cannot be read. */
  readonly listings: readonly Listing[] | undefined;
  readonly lastGoodListings: readonly Listing[];
  /** Names of entries of nodes.yaml by key of the previous record. */
  readonly lastGoodNodeFiles: ReadonlyMap<string, readonly string[]>;
  readonly settings?: RepositorySettings;
  readonly problems: readonly Problem[];
  /** False while any candidate file cannot be read or parsed. */
  readonly complete: boolean;
  readonly ignored: number;
  /** Last good blob and services per path that counts. */
  readonly files: SourceRecord['files'];
}

/**
 * Key in a source record under which an older blob of a path is kept beside the current one, while a removal that it explains is
 * held. The path itself is {@link pathOfKey}.
 */
export function keptKey(path: string, blob: string): string {
  return `${path}#${blob}`;
}

export function pathOfKey(key: string): string {
  return key.replace(/#[0-9a-f]{40,64}$/, '');
}

const regularModes: ReadonlySet<string> = new Set(['100644', '100755']);

/** False for links and submodules, which are never followed. */
export function isRegular({ mode }: { readonly mode: string }): boolean {
  return regularModes.has(mode);
}

/** From where a cluster reads, and its policy for descriptors. */
export interface Where extends DescriptorOptions, Selection {
  readonly cluster: string;
}

/** A file by whose place alone one can tell that it is a secret. */
function isSecretPath(path: string): boolean {
  return /^secrets\/[^/]+\.yaml$/.test(path);
}

/** Reads one file. Never throws; what is wrong is in `problems`. */
export function readFile(file: SnapshotFile, where: Where): Reading {
  const nothing = { services: [], problems: [] };
  if (!isRegular(file)) {
    if (!mayCount(file.path)) return { ...nothing, kind: 'ignored' };
    const message = file.mode === '160000' ? 'submodules are not followed' : 'links are not followed';
    return { kind: 'invalid', services: [], problems: [problem('SOURCE_HOSTILE', message, { file: file.path })] };
  }
  if (!mayCount(file.path)) return { ...nothing, kind: 'ignored' };
  // However many may read it: what it says, the descriptors say that name it.
  if (file.text === undefined && isSecretPath(belowRoot(file.path, where))) return { ...nothing, kind: 'ignored' };
  if (file.text === undefined) {
    const message = 'the file is longer than 256 KiB, or could not be read';
    return { kind: 'invalid', services: [], problems: [problem('YAML_INVALID', message, { file: file.path })] };
  }
  const options = file.files ? { ...where, files: file.files } : where;
  return readText(file.path, file.text, classifyFile(belowRoot(file.path, where), file.text), options);
}

function readText(path: string, text: string, found: FileClass, options: DescriptorOptions): Reading {
  switch (found.kind) {
    case 'ignored':
      return { kind: 'ignored', services: [], problems: [] };
    case 'invalid':
      return { kind: 'invalid', services: [], problems: found.problems.map((one) => ({ ...one, file: path })) };
    case 'nodes': {
      const { listings, problems } = parseNodesFile(text, path);
      return { kind: isBroken(problems) ? 'invalid' : 'nodes', services: [], listings, problems };
    }
    case 'settings': {
      const { settings, problems } = parseRepositorySettings(text, path);
      if (isBroken(problems) || !settings) return { kind: 'invalid', services: [], problems };
      return { kind: 'settings', services: [], settings, problems };
    }
    case 'descriptor': {
      const { services, problems, references, patches } = parseDescriptor(text, path, options);
      const said = { problems, references, ...(patches.length > 0 && { patches }) };
      if (isBroken(problems)) return { ...said, kind: 'invalid', services: [] };
      return { ...said, kind: 'descriptor', services };
    }
  }
}

function isBroken(problems: readonly Problem[]): boolean {
  return problems.some((one) => one.severity !== 'warning');
}

/** A file that counts, with what it says now and what it said when it was last good. */
export interface ReadFile {
  readonly path: string;
  readonly blob: string;
  readonly reading: Reading;
  /** Blobs of the files that it takes in, by how it names them. */
  readonly with?: Readonly<Record<string, string>>;
}

/**
 * Composes a snapshot. `now`: the files of the commit; `before`: the last good blobs of the record, as far as they can still be
 * read. Names that appear twice belong to the file that had them before, else to the first path.
 */
export function composeSnapshot(input: {
  readonly source: string;
  readonly commit: string;
  readonly previous: SourceRecord | undefined;
  readonly now: readonly ReadFile[];
  readonly before: readonly ReadFile[];
}): SourceSnapshot {
  const previousFiles = input.previous?.files ?? {};
  const beforeByPath = new Map(input.before.map((file) => [file.path, file]));
  const problems: Problem[] = [];
  const files: Record<string, SourceRecord['files'][string]> = {};
  const found: Found[] = [];
  const isTurned = ({ path, reading }: ReadFile): boolean =>
    reading.kind === 'ignored' && previousFiles[path] !== undefined;
  /** What counts of a file that cannot be read is what it said when it could. */
  const isBrokenFile = (file: ReadFile): boolean => isTurned(file) || file.reading.kind === 'invalid';
  const goodOf = (file: ReadFile): Reading | undefined =>
    isBrokenFile(file) ? beforeByPath.get(file.path)?.reading : file.reading;
  const patched = patchedIn(input.now, goodOf);
  let listings: readonly Listing[] | undefined;
  let settings: RepositorySettings | undefined;
  let complete = true;
  let ignored = 0;

  for (const file of [...input.now].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const old = previousFiles[file.path];
    const by = patched.get(file.path);
    // What is wrong with it, the file says that stands in its place.
    if (by === 'good') continue;
    const turned = isTurned(file);
    if (file.reading.kind === 'ignored' && !turned) {
      ignored += 1;
      continue;
    }
    problems.push(...file.reading.problems);
    if (turned) problems.push(turnedProblem(file.path));
    const broken = by === 'broken' || isBrokenFile(file);
    if (broken) complete = false;
    const good = broken ? beforeByPath.get(file.path)?.reading : file.reading;
    if (broken && old) files[file.path] = old;
    if (!broken) {
      const names = good?.services.map((one) => one.spec.name) ?? [];
      files[file.path] = sameEntry(old, file, names) ?? {
        blob: file.blob,
        services: names,
        ...(file.with && { with: file.with }),
      };
    }
    found.push(...(good?.services ?? []).map((service) => ({ service, path: file.path })));
    if (good?.listings) listings = [...(listings ?? []), ...good.listings];
    if (good?.settings) settings = good.settings;
  }

  const services = firstOwners(found, previousFiles);
  const clashes = checkServices(found.map(({ service }) => service));
  if (clashes.length > 0) complete = false;
  return {
    source: input.source,
    commit: input.commit,
    services,
    lastGood: missingFrom(services, input.before),
    listings,
    lastGoodListings: input.before.flatMap((file) => file.reading.listings ?? []),
    lastGoodNodeFiles: new Map(
      input.before.map((file) => [file.path, (file.reading.listings ?? []).map((listing) => listing.name)]),
    ),
    ...(settings ? { settings } : {}),
    problems: [...problems, ...clashes],
    complete,
    ignored,
    files,
  };
}

/** What did not change stays the very same value: nobody has to write it down again, or to look for a difference. */
function sameEntry(
  old: SourceRecord['files'][string] | undefined,
  file: ReadFile,
  names: readonly ServiceName[],
): SourceRecord['files'][string] | undefined {
  if (!old || old.blob !== file.blob || old.with || file.with) return undefined;
  const isSame = old.services.length === names.length && names.every((name, index) => old.services[index] === name);
  return isSame ? old : undefined;
}

function turnedProblem(path: string): Problem {
  return problem('DESCRIPTOR_INVALID', 'the file held a descriptor and is none any more', {
    file: path,
    hint: 'its services keep their last good version; delete the file to remove them',
  });
}

/**
 * Files in whose place others stand. `broken`: the one that would cannot be read, and never could; then nobody knows what holds here,
 * and the file is taken for as it was.
 */
function patchedIn(
  now: readonly ReadFile[],
  goodOf: (file: ReadFile) => Reading | undefined,
): Map<string, 'good' | 'broken'> {
  const patched = new Map<string, 'good' | 'broken'>();
  for (const { reading } of now) for (const path of reading.patches ?? []) patched.set(path, 'broken');
  for (const file of now) for (const path of goodOf(file)?.patches ?? []) patched.set(path, 'good');
  return patched;
}

/** A service and the file that brings it: not always the one in which it is written. */
interface Found {
  readonly service: SnapshotService;
  readonly path: string;
}

function firstOwners(found: readonly Found[], previous: SourceRecord['files']): Map<ServiceName, SnapshotService> {
  const services = new Map<ServiceName, Found>();
  for (const one of found) {
    const { name } = one.service.spec;
    const known = services.get(name);
    const hadIt = previous[one.path]?.services.includes(name) ?? false;
    if (!known || (hadIt && known.path !== one.path)) services.set(name, one);
  }
  return new Map([...services].map(([name, { service }]) => [name, service]));
}

function missingFrom(
  services: ReadonlyMap<ServiceName, SnapshotService>,
  before: readonly ReadFile[],
): Map<ServiceName, SnapshotService> {
  const missing = new Map<ServiceName, SnapshotService>();
  for (const { reading } of before) {
    for (const one of reading.services) if (!services.has(one.spec.name)) missing.set(one.spec.name, one);
  }
  return missing;
}
