/**
 * Readings of files of git sources, each made once per version: source, path, blob, and the blobs of the files that a descriptor
 * takes in. Which those are, only its text says, and that of what it patches; so it is read again as long as it takes more.
 */
import { mayCount } from '../schemas/classify.ts';
import { maxFileBytes, referencedPath } from '../schemas/descriptor-files.ts';
import { canonicalJson } from '../schemas/digest.ts';
import { besideOf } from '../schemas/overlay.ts';
import { maxSecretBytes, secretOf, secretPaths } from '../schemas/secret-file.ts';
import { besideClusters } from '../schemas/selection.ts';
import { yamlLimits } from '../schemas/yaml-scan.ts';
import type { Source as AnySource } from './context.ts';
import { isRegular, pathOfKey, type ReadFile, type Reading, readFile, type Where } from './core/snapshot.ts';
import type { TreeEntry } from './ports.ts';

/** What is read from. */
type Source = Pick<AnySource, 'name' | 'git'>;

/** A version of a file, under the key of a source record. */
export interface FileVersion {
  readonly key: string;
  readonly path: string;
  readonly blob: string;
  readonly mode: string;
  /** Blobs that it took in, by how it names them, where that is known. */
  readonly with?: Readonly<Record<string, string>>;
}

export interface Readings {
  /** The files of a commit. `tree`: what descriptors can take in. Problems of the git port pass through. */
  read(
    source: Source,
    where: Where,
    files: readonly FileVersion[],
    tree: readonly TreeEntry[],
    signal: AbortSignal,
  ): Promise<ReadFile[]>;
  /** Last good versions; those whose text cannot be had any more are left out. */
  readKept(source: Source, where: Where, files: readonly FileVersion[], signal: AbortSignal): Promise<ReadFile[]>;
  /** Keeps the readings of a source that are in use. */
  keep(source: string, used: readonly ReadFile[]): void;
}

type Taken = Readonly<Record<string, string>>;

/** A file and what it takes in, to be read together. */
interface Wish {
  readonly file: FileVersion;
  readonly taken?: Taken;
}

/** A file alone, with what it patches, and with what the two of them take in. */
const mostPasses = 3;

export function createReadings(): Readings {
  const readings = new Map<string, Reading>();

  /** Reads what is not known yet. Absent in the answer: files whose text is not to be had. */
  const load = async (
    source: Source,
    where: Where,
    wishes: readonly Wish[],
    signal: AbortSignal,
  ): Promise<Map<Wish, Reading>> => {
    const unread = wishes.filter((wish) => !readings.has(readingKey(source.name, wish.file, wish.taken)));
    const blobs = unread.flatMap(({ file, taken }) => [
      ...(isRegular(file) && mayCount(file.path) ? [file.blob] : []),
      ...Object.values(taken ?? {}),
    ]);
    const texts = await source.git.blobs([...new Set(blobs)], signal);
    const found = new Map<Wish, Reading>();
    for (const wish of wishes) {
      const { file, taken } = wish;
      const key = readingKey(source.name, file, taken);
      const text = texts.get(file.blob);
      const known = readings.get(key);
      const reading = known ?? readFile({ ...file, text, ...(taken && { files: textsOf(taken, texts) }) }, where);
      if (known ?? text !== undefined) found.set(wish, reading);
      // A text that is not to be had may be there the next time.
      const whole = text !== undefined && Object.values(taken ?? {}).every((blob) => texts.has(blob));
      if (whole) readings.set(key, reading);
    }
    return found;
  };

  const readAll = async (
    source: Source,
    where: Where,
    files: readonly FileVersion[],
    takenBy: (file: FileVersion, references: readonly string[]) => Taken,
    signal: AbortSignal,
  ): Promise<Map<FileVersion, ReadFile>> => {
    const answer = new Map<FileVersion, ReadFile>();
    let wishes: readonly Wish[] = files.map((file) => ({ file }));
    for (let pass = 0; pass < mostPasses && wishes.length > 0; pass += 1) {
      const more: Wish[] = [];
      for (const [{ file, taken }, reading] of await load(source, where, wishes, signal)) {
        answer.set(file, { path: file.key, blob: file.blob, reading, ...(taken && { with: taken }) });
        const next = reading.references?.length ? takenBy(file, reading.references) : {};
        if (Object.keys(next).length > Object.keys(taken ?? {}).length) more.push({ file, taken: next });
      }
      wishes = more;
    }
    return answer;
  };

  return {
    async read(source, where, files, tree, signal) {
      const entries = new Map(tree.map((entry) => [entry.path, entry]));
      const takenBy = (file: FileVersion, references: readonly string[]): Taken =>
        Object.fromEntries(
          references.flatMap((from) => {
            const entry = placesOf(from, file.path, where).flatMap((path) => entries.get(path) ?? [])[0];
            return entry && isRegular(entry) && entry.size <= mostBytes(from) ? [[from, entry.blob]] : [];
          }),
        );
      const found = await readAll(source, where, files, takenBy, signal);
      const missing = (file: FileVersion): ReadFile => {
        return { path: file.key, blob: file.blob, reading: readFile({ ...file, text: undefined }, where) };
      };
      return files.map((file) => found.get(file) ?? missing(file));
    },
    async readKept(source, where, files, signal) {
      return [...(await readAll(source, where, files, (file) => file.with ?? {}, signal)).values()];
    },
    keep(source, used) {
      const keys = new Set(
        used.flatMap((file) => {
          const version = { path: pathOfKey(file.path), blob: file.blob };
          const alone = readingKey(source, version);
          const own = ownOf(readings.get(alone), file.with);
          return [alone, readingKey(source, version, own), readingKey(source, version, file.with)];
        }),
      );
      for (const key of [...readings.keys()]) if (key.startsWith(`${source}\0`) && !keys.has(key)) readings.delete(key);
    },
  };
}

/** Of what a file takes in what it names itself: what it patches. With that alone it was read on the way. */
function ownOf(alone: Reading | undefined, taken: Taken = {}): Taken {
  const named = new Set(alone?.references);
  return Object.fromEntries(Object.entries(taken).filter(([from]) => named.has(from)));
}

function mostBytes(from: string): number {
  if (besideOf(from) !== undefined) return yamlLimits.bytes;
  return secretOf(from) === undefined ? maxFileBytes : maxSecretBytes;
}

/** Where a reference may lead to, the first that is there counts. */
function placesOf(from: string, descriptor: string, { path, cluster }: Where): readonly string[] {
  const beside = besideOf(from);
  if (beside !== undefined) return [besideClusters(beside, descriptor) ?? beside];
  const secret = secretOf(from);
  if (secret === undefined) return [referencedPath(from, descriptor)];
  return secretPaths(secret, cluster).map((one) => (path === '' ? one : `${path}/${one}`));
}

function readingKey(source: string, file: Pick<FileVersion, 'path' | 'blob'>, taken?: Taken): string {
  return [source, file.path, file.blob, ...(taken ? [canonicalJson(taken)] : [])].join('\0');
}

function textsOf(taken: Taken, texts: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(taken).flatMap(([from, blob]) => {
      const text = texts.get(blob);
      return text === undefined ? [] : [[from, text]];
    }),
  );
}
