/** What an archive of images holds, as `docker save` writes it, read in one pass: contents are passed over, nothing is unpacked. */
import { createHash } from 'node:crypto';
import { maxFrame } from '../../schemas/exec.ts';
import { type ArchivedImage, loadFrame, maxArchive } from '../../schemas/image-load.ts';
import { isSameImage } from '../../schemas/image-name.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { type ArchiveSource, openArchive } from './archive-source.ts';
import { readTar } from './tar-reader.ts';

export interface ImageArchive {
  readonly file: string;
  /** As it is on disk. */
  readonly bytes: number;
  readonly images: readonly ArchivedImage[];
}

/** Descriptions of images are smaller; one that is not goes unread. In bytes. */
const longestText = 1024 * 1024;
/** All texts that are held while the archive is read, in bytes. */
const heldTexts = 64 * 1024 * 1024;
const mostImages = 256;

/** ARCHIVE_INVALID, NOT_FOUND. Plain, or packed by gzip. */
export async function readImageArchive(file: string, signal: AbortSignal): Promise<ImageArchive> {
  const source = await openArchive(file);
  try {
    const texts = await textsOf(source, file, signal);
    const images = imagesOf(texts, file);
    if (images.length > mostImages) throw invalid(file, `it holds ${images.length} images, at most ${mostImages}`);
    if (source.bytes > maxArchive) throw invalid(file, `it is larger than ${maxArchive / 1024 ** 3} GiB`);
    const start = loadFrame({ start: { images, bytes: Math.max(1, source.bytes) } });
    if (start.length > maxFrame) throw invalid(file, 'its images have too many names');
    return { file, bytes: source.bytes, images };
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code ?? '');
    if (code.startsWith('Z_')) throw invalid(file, `gzip cannot unpack it (${(error as Error).message})`);
    throw error;
  } finally {
    await source.close();
  }
}

/** The JSON files by path. */
async function textsOf(source: ArchiveSource, file: string, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
  const texts = new Map<string, Buffer>();
  let held = 0;
  const ended = await readTar(source, {
    wants: ({ path, size }) =>
      size <= longestText && /^(manifest\.json|index\.json|[0-9a-f]{64}\.json|blobs\/sha256\/[0-9a-f]{64})$/.test(path),
    take({ path }, content) {
      signal.throwIfAborted();
      const isText = content[0] === 0x7b || content[0] === 0x5b;
      if (!isText || held + content.length > heldTexts) return;
      held += content.length;
      texts.set(path, content);
    },
    passed: () => signal.throwIfAborted(),
  });
  if (ended === 'none') throw invalid(file, 'it is no tar archive');
  if (ended === 'torn') throw invalid(file, 'it breaks off in the middle');
  return texts;
}

interface ManifestEntry {
  readonly Config?: unknown;
  readonly RepoTags?: unknown;
}

function imagesOf(texts: ReadonlyMap<string, Buffer>, file: string): ArchivedImage[] {
  const manifest = jsonOf(texts.get('manifest.json'));
  if (!Array.isArray(manifest) || manifest.length === 0) throw invalid(file, 'it holds no manifest.json of images');
  const roots = rootsOf(jsonOf(texts.get('index.json')));
  const entries = manifest as readonly (ManifestEntry | null)[];
  return entries.map((entry) => imageOf(entry ?? {}, texts, roots, entries.length, file));
}

function imageOf(
  { Config: config, RepoTags: tags }: ManifestEntry,
  texts: ReadonlyMap<string, Buffer>,
  roots: readonly Root[],
  count: number,
  file: string,
): ArchivedImage {
  const hex = typeof config === 'string' ? /([0-9a-f]{64})(?:\.json)?$/.exec(config)?.[1] : undefined;
  if (typeof config !== 'string' || hex === undefined)
    throw invalid(file, 'an image in its manifest.json has no Config');
  const content = texts.get(config);
  if (content && createHash('sha256').update(content).digest('hex') !== hex)
    throw invalid(file, `the content of ${config} is another one than its name says`);
  const names = Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : [];
  const own = roots.filter(({ name }) =>
    name === undefined ? count === 1 : names.some((one) => isSameImage(one, name)),
  );
  const { architecture } = (jsonOf(content) ?? {}) as { readonly architecture?: unknown };
  return {
    ids: [...new Set([`sha256:${hex}`, ...own.map(({ digest }) => digest)])].slice(0, 8),
    names,
    ...(typeof architecture === 'string' && { arch: architecture }),
  };
}

/** A manifest (or a list of them) in index.json: what engines with an image store of containerd call an image. */
interface Root {
  readonly digest: string;
  readonly name?: string;
}

function rootsOf(index: unknown): readonly Root[] {
  const { manifests } = (index ?? {}) as { readonly manifests?: unknown };
  if (!Array.isArray(manifests)) return [];
  return manifests.flatMap((one: { digest?: unknown; annotations?: Record<string, unknown> } | null): Root[] => {
    const name = one?.annotations?.['io.containerd.image.name'];
    if (typeof one?.digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(one.digest)) return [];
    return [{ digest: one.digest, ...(typeof name === 'string' && { name }) }];
  });
}

function jsonOf(content: Buffer | undefined): unknown {
  try {
    return content && JSON.parse(content.toString());
  } catch {
    return undefined;
  }
}

function invalid(file: string, why: string): ProblemError {
  const hint = '`docker save -o <file> <image>` writes what can be loaded';
  return new ProblemError(problem('ARCHIVE_INVALID', why, { file, hint }));
}
