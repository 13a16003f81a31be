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
import type { Git, TreeEntry } from './ports.ts';

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
  /** Of a source, keeps the readings that are in use, and a bounded number of others. */
  keep(source: string, used: readonly ReadFile[]): void;
}

type Taken = Readonly<Record<string, string>>;

/** What is known of one source. */
interface Shelf {
  /** From where and how it is read: another cluster, other labels, other readings. */
  readonly where: string;
  readonly readings: Map<string, Reading>;
  /** Last answers by key of the record: of files that take nothing in, so that nothing else can make them say something else. */
  readonly alone: Map<string, { readonly file: FileVersion; readonly answer: ReadFile }>;
}

/** A file and what it takes in, to be read together. */
interface Wish {
  readonly file: FileVersion;
  readonly taken?: Taken;
}

/** Where a reading has from what it is made of. */
interface Supply {
  readonly takenBy: (file: FileVersion, references: readonly string[]) => Taken;
  readonly textsFor: Git['blobs'];
}

/** Texts that are parsed in one turn: some tens of ms of a small machine. */
const perTurn = 50;
/** What is not in use any more is looked for once there is this much of it: per file in use, and at least. */
const mostPerUsed = 2;
const leastKept = 256;
/** A file alone, with what it patches, and with what the two of them take in. */
const mostPasses = 3;

/** `pause`: lets others have a turn, so that thousands of texts hold nobody up. */
export function createReadings(pause: () => Promise<void> = async () => undefined): Readings {
  const shelves = new Map<string, Shelf>();
  /** A policy is one value for long. */
  const written = new WeakMap<Where, string>();

  const shelfOf = (source: Source, where: Where): Shelf => {
    const text = written.get(where) ?? canonicalJson(where);
    written.set(where, text);
    const known = shelves.get(source.name);
    if (known?.where === text) return known;
    const fresh: Shelf = { where: text, readings: new Map(), alone: new Map() };
    shelves.set(source.name, fresh);
    return fresh;
  };

  /** Reads what is not known yet. Absent in the answer: files whose text is not to be had. */
  const load = async (
    source: Source,
    where: Where,
    wishes: readonly Wish[],
    textsFor: Git['blobs'],
    signal: AbortSignal,
  ): Promise<Map<Wish, Reading>> => {
    const { readings } = shelfOf(source, where);
    // Taken out now: what nobody uses may be forgotten while the texts of the others are on their way.
    const known = new Map<Wish, Reading>();
    for (const wish of wishes) {
      const reading = isRegular(wish.file) ? readings.get(readingKey(wish.file, wish.taken)) : undefined;
      if (reading) known.set(wish, reading);
    }
    const unread = wishes.filter((wish) => !known.has(wish));
    const blobs = unread.flatMap(({ file, taken }) => [
      ...(isRegular(file) && mayCount(file.path) ? [file.blob] : []),
      ...Object.values(taken ?? {}),
    ]);
    const texts = await textsFor([...new Set(blobs)], signal);
    const found = new Map<Wish, Reading>();
    let parsed = 0;
    for (const wish of wishes) {
      const { file, taken } = wish;
      const text = texts.get(file.blob);
      if (text !== undefined && !known.has(wish)) parsed += 1;
      if (parsed === perTurn) {
        parsed = 0;
        await pause();
        signal.throwIfAborted();
      }
      const files = taken && { files: textsOf(taken, texts) };
      const reading = known.get(wish) ?? readFile({ ...file, text, ...files }, where);
      if (known.has(wish) || text !== undefined) found.set(wish, reading);
      // A text that is not to be had may be there the next time.
      const whole =
        isRegular(file) && text !== undefined && Object.values(taken ?? {}).every((blob) => texts.has(blob));
      if (whole) readings.set(readingKey(file, taken), reading);
    }
    return found;
  };

  const readAll = async (
    source: Source,
    where: Where,
    files: readonly FileVersion[],
    { takenBy, textsFor }: Supply,
    signal: AbortSignal,
  ): Promise<Map<FileVersion, ReadFile>> => {
    const answer = new Map<FileVersion, ReadFile>();
    const { alone, readings } = shelfOf(source, where);
    let wishes: readonly Wish[] = files.flatMap((file) => {
      const known = alone.get(file.key);
      if (!known || !isSameVersion(known.file, file)) return [{ file }];
      answer.set(file, known.answer);
      return [];
    });
    for (let pass = 0; pass < mostPasses && wishes.length > 0; pass += 1) {
      const more: Wish[] = [];
      for (const [{ file, taken }, reading] of await load(source, where, wishes, textsFor, signal)) {
        const found = { path: file.key, blob: file.blob, reading, ...(taken && { with: taken }) };
        answer.set(file, found);
        const isAlone = !reading.references?.length && readings.has(readingKey(file));
        if (isAlone) alone.set(file.key, { file, answer: found });
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
      const { git } = source;
      const found = await readAll(source, where, files, { takenBy, textsFor: git.blobs }, signal);
      const { alone } = shelfOf(source, where);
      const missing = (file: FileVersion): ReadFile => {
        const answer = { path: file.key, blob: file.blob, reading: readFile({ ...file, text: undefined }, where) };
        // Of what is no file, or none that counts, no text would say anything else.
        if (!isRegular(file) || !mayCount(file.path)) alone.set(file.key, { file, answer });
        return answer;
      };
      return files.map((file) => found.get(file) ?? missing(file));
    },
    async readKept(source, where, files, signal) {
      const supply: Supply = { takenBy: (file) => file.with ?? {}, textsFor: source.git.oldBlobs };
      const found = await readAll(source, where, files, supply, signal);
      return files.flatMap((file) => found.get(file) ?? []);
    },
    keep(source, used) {
      const shelf = shelves.get(source);
      const most = used.length * mostPerUsed + leastKept;
      if (!shelf || shelf.readings.size + shelf.alone.size <= most) return;
      const keys = new Set(
        used.flatMap((file) => {
          const version = { path: pathOfKey(file.path), blob: file.blob };
          const alone = readingKey(version);
          const own = ownOf(shelf.readings.get(alone), file.with);
          return [alone, readingKey(version, own), readingKey(version, file.with)];
        }),
      );
      const paths = new Set(used.map(({ path }) => path));
      for (const key of [...shelf.readings.keys()]) if (!keys.has(key)) shelf.readings.delete(key);
      for (const key of [...shelf.alone.keys()]) if (!paths.has(key)) shelf.alone.delete(key);
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

function readingKey({ path, blob }: Pick<FileVersion, 'path' | 'blob'>, taken?: Taken): string {
  return taken ? `${path}\0${blob}\0${canonicalJson(taken)}` : `${path}\0${blob}`;
}

/** The same text at the same place. What is no file differs by what it is. */
function isSameVersion(one: FileVersion, other: FileVersion): boolean {
  const isSameKind = one.mode === other.mode || (isRegular(one) && isRegular(other));
  return one.blob === other.blob && one.path === other.path && isSameKind;
}

function textsOf(taken: Taken, texts: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(taken).flatMap(([from, blob]) => {
      const text = texts.get(blob);
      return text === undefined ? [] : [[from, text]];
    }),
  );
}
