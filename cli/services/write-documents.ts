/** Descriptors on their way into a repository: where each one goes, and what must not be lost there. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, join, posix, relative, resolve } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import { referencedPath } from '../../schemas/descriptor-files.ts';
import type { ServiceName } from '../../schemas/names.ts';
import { besideOf } from '../../schemas/overlay.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { besideClusters } from '../../schemas/selection.ts';
import { filesOf, type Repository, requireClean, requireOwn, rootsOf } from './commit-edit.ts';
import { putFile } from './working-copy.ts';

/**
 * A file that lies in the working copy stays where it is. Others take the place of the file that says the same services, or go, by
 * their name, to the folder that the cluster reads. What they take in goes with them. Answers the paths in the repository. REFUSED
 * where something else would be lost.
 */
export async function writeDocuments(documents: readonly DocumentText[], repository: Repository): Promise<string[]> {
  const root = await realpath(repository.copy.root);
  const files: string[] = [];
  for (const document of documents) {
    const { file, files: taken = {} } = document;
    const inside = relative(root, await realpath(file).catch(() => resolve('/', file)));
    const isInside = file !== 'stdin' && !inside.startsWith('..');
    const target = isInside ? inside : await placeOf(document, repository);
    const isNew = (await textAt(join(root, target))) === undefined;
    if (!isInside) await putFile(root, target, document.text);
    files.push(target);
    for (const [from, content] of Object.entries(taken)) {
      const beside = besideOf(from);
      const place = beside === undefined ? referencedPath(from, target) : (besideClusters(beside, target) ?? beside);
      if (isNew) await requireFree(root, place, content);
      if (!isInside) await putFile(root, place, content);
      files.push(place);
    }
  }
  return files;
}

/** Where a descriptor from elsewhere goes. */
async function placeOf(document: DocumentText, repository: Repository): Promise<string> {
  const services = servicesOf(document);
  for await (const other of filesOf(repository)) {
    const said = servicesOf(other);
    const both = said.find(({ name }) => services.some((one) => one.name === name));
    if (!both) continue;
    const lost = said.filter(({ name }) => !services.some((one) => one.name === name));
    const { file } = other;
    if (lost[0]) {
      const message = `it says ${both.name}, and beside it ${lost.map(({ name }) => name).join(', ')}, which would be gone`;
      const hint = 'change it there, in a working copy, and push; or add what is missing';
      throw new ProblemError(problem('REFUSED', message, { file, line: lost[0].line, hint }));
    }
    requireOwn(repository, file, both.line);
    if (other.text !== document.text) await requireClean(repository, file);
    return file;
  }
  const own = rootsOf(repository)[0] ?? '';
  const name =
    document.file === 'stdin' ? `${services[0]?.name.split('.')[0] ?? 'application'}.yaml` : basename(document.file);
  const target = posix.join(own, name);
  const there = await textAt(join(repository.copy.root, target));
  if (there === undefined || there === document.text) return target;
  const hint = 'give yours another name, or change that one in a working copy';
  throw new ProblemError(
    problem('REFUSED', 'the repository has a file of that name, about something else', { file: target, hint }),
  );
}

interface Said {
  readonly name: ServiceName;
  readonly line: number;
}

/** What a file says, as far as it can be read. */
function servicesOf({ file, text, files }: DocumentText): readonly Said[] {
  const { services } = parseDescriptor(text, file, files ? { files } : {});
  return services.map(({ spec, line }) => ({ name: spec.name, line }));
}

/** REFUSED for a file that is there and says something else: what is new must not change what others take in. */
async function requireFree(root: string, file: string, content: string): Promise<void> {
  const there = await textAt(join(root, file));
  if (there === undefined || there === content) return;
  const hint = 'give yours another path, or change that one in a working copy';
  throw new ProblemError(problem('REFUSED', 'the repository has another file there', { file, hint }));
}

async function textAt(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
