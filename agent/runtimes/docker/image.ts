/**
 * Images: looked for on the engine first, pulled only when absent: from the mirrors of their registry, then from the registry
 * itself. Where the content is known that a tag stood for, these very bytes are what counts.
 */
import { access } from 'node:fs/promises';
import type { ImageInspectInfo } from 'dockerode';
import { architecture } from '../../../schemas/architecture.ts';
import { parseImage } from '../../../schemas/image-name.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { PullSource } from '../../../schemas/registries.ts';
import type { Runnable } from '../runtime.ts';
import { type Engine, limits, statusOf } from './engine.ts';
import { pullFrom, referenceAt, splitReference } from './pull.ts';
import { type PullFailure, pullHint } from './pull-failure.ts';

/** Where images come from. */
export interface ImageSources {
  /** Mirrors and registry, in the order in which they are asked; `registry` as {@link parseImage} names it. */
  of(registry: string, signal: AbortSignal): Promise<readonly PullSource[]>;
  /** A mirror did not give an image; another place is asked now. */
  failed?(source: PullSource, image: string, why: string): void;
}

/** `stall`: ms for which nothing may come in the middle of a pull. */
interface Patience {
  readonly stall: number;
}

type Wish = Pick<Runnable, 'code' | 'content'>;

/** Every registry itself, without a login. */
export const plainSources: ImageSources = { of: async (host) => [{ host }] };

/** Characters of image references. Also keeps a reference from reaching other paths of the engine's API. */
const referencePattern = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,254}$/;

/** Makes sure that an image is on the engine, for this machine. IMAGE_*, REGISTRY_*, RUNTIME_UNAVAILABLE. */
export async function ensureImage(
  engine: Engine,
  wish: Wish,
  sources: ImageSources & Patience,
  signal: AbortSignal,
): Promise<void> {
  const { code } = wish;
  if (!referencePattern.test(code) || code.includes('..'))
    throw imageProblem(code, { code: 'IMAGE_NOT_FOUND', message: 'it is not an image reference' });
  const found = (await findImage(engine, wish, signal)) ?? (await pull(engine, wish, sources, signal));
  const fault = await architectureFault(engine, found, signal);
  if (fault) throw imageProblem(code, { code: 'IMAGE_WRONG_ARCHITECTURE', message: fault });
}

/** An image of the engine. */
interface Found {
  /** A reference by which the engine finds just this one. */
  readonly reference: string;
  readonly architecture: string;
}

/** The image as the engine has it; undefined when it is not there. */
export async function findImage(engine: Engine, wish: Wish, signal: AbortSignal): Promise<Found | undefined> {
  const { code, content } = wish;
  const exact = parseImage(code).digest ?? content;
  if (exact === undefined) return (await inspect(engine, code, signal))?.found;
  const pinned = code.includes('@') ? code : `${code}@${exact}`;
  for (const reference of [pinned, tagOfContent(code, exact)]) {
    const there = await inspect(engine, reference, signal);
    if (there) return there.found;
  }
  if (content === undefined || code.includes('@')) return undefined;
  // What was loaded or built here came from no registry, and is what somebody wants to have under this name.
  const here = await inspect(engine, code, signal);
  return here?.isHomemade ? here.found : undefined;
}

async function inspect(engine: Engine, reference: string, signal: AbortSignal) {
  try {
    // The library's type promises more than engines keep.
    const image: Partial<ImageInspectInfo> = await engine.call(limits.read, signal, (docker) =>
      docker.getImage(reference).inspect(),
    );
    const found: Found = { reference, architecture: image.Architecture ?? '' };
    return { found, isHomemade: (image.RepoDigests ?? []).length === 0 };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The name by which content is kept that came from a mirror: the engine knows it by the mirror's name only. */
function tagOfContent(code: string, content: string): string {
  return `${splitReference(code).repository}:${content.replace(':', '-')}`;
}

async function pull(engine: Engine, wish: Wish, sources: ImageSources & Patience, signal: AbortSignal): Promise<Found> {
  const { code, content } = wish;
  const places = await sources.of(parseImage(code).registry, signal);
  const failures: PullFailure[] = [];
  for (const [index, source] of places.entries()) {
    const reference = referenceAt(source.host, code, content);
    const failure = await pullFrom(engine, source, reference, sources.stall, signal);
    if (!failure) {
      await keepName(engine, wish, reference, signal);
      const found = await findImage(engine, wish, signal);
      if (found) return found;
      failures.push({ code: 'IMAGE_PULL_FAILED', message: 'it was pulled, and is not there' });
      continue;
    }
    failures.push(failure);
    if (failure.code === 'IMAGE_NO_SPACE') break;
    if (index < places.length - 1) sources.failed?.(source, code, failure.message);
  }
  const last = failures.at(-1) ?? { code: 'IMAGE_PULL_FAILED' as const, message: 'no place is known to have it' };
  // A registry out of reach is the normal course of things behind a mirror: then the mirror's reason says more.
  const said = last.code === 'REGISTRY_UNREACHABLE' ? (failures.find(({ code }) => code !== last.code) ?? last) : last;
  const note = said.code === 'IMAGE_DENIED' ? places.find((place) => place.note)?.note : undefined;
  throw imageProblem(code, note === undefined ? said : { ...said, message: `${said.message}; ${note}` });
}

/** Gives what was pulled the names under which it is looked for, also when no registry can be asked any more. */
async function keepName(
  engine: Engine,
  { code, content }: Wish,
  reference: string,
  signal: AbortSignal,
): Promise<void> {
  const exact = parseImage(code).digest ?? content;
  const { repository, tag } = splitReference(code);
  const isMirror = splitReference(reference).repository !== repository;
  const names = [
    ...(code.includes('@') || (!isMirror && content === undefined) ? [] : [{ repo: repository, tag }]),
    ...(isMirror && exact !== undefined ? [{ repo: repository, tag: exact.replace(':', '-') }] : []),
  ];
  for (const name of names) await engine.call(limits.change, signal, (docker) => docker.getImage(reference).tag(name));
}

/** Architectures that a processor runs beside its own. */
const alsoRuns: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };

/** Why the image cannot run here: it is for other machines, and the kernel has nobody to run their programs. */
export async function architectureFault(
  engine: Engine,
  found: Pick<Found, 'architecture'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const wanted = architecture(found.architecture);
  const version = await engine.call(limits.read, signal, (docker) => docker.version());
  const own = architecture(version.Arch);
  if (wanted === '' || wanted === own || alsoRuns[own]?.includes(wanted) || (await isEmulated(wanted)))
    return undefined;
  return `it is made for ${wanted}, and this node is ${own}`;
}

function imageProblem(image: string, { code, message }: PullFailure): ProblemError {
  return new ProblemError(
    problem(code, `image ${image} cannot be had: ${message}`, {
      subject: image,
      disposition: 'retry',
      hint: pullHint(code, image, message),
    }),
  );
}

/** What the kernel calls the emulators that it was told of. */
const emulators: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i386' };

function isEmulated(wanted: string): Promise<boolean> {
  return access(`/proc/sys/fs/binfmt_misc/qemu-${emulators[wanted] ?? wanted}`).then(
    () => true,
    () => false,
  );
}
