/** Reads a compose file with what lies beside it, and makes a descriptor of it. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import { maxFileBytes } from '../../schemas/descriptor-files.ts';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { type Fields, isFields, listOf, readCompose, servicesOf } from '../compose/compose-file.ts';
import { importCompose } from '../compose/import.ts';
import type { Beside } from '../compose/service.ts';
import { localSources } from '../compose/storage.ts';
import { parseEnvironment } from '../compose/variables.ts';
import { withReferences } from './references.ts';

/** In the order in which compose looks for them. */
const usualNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

export interface ImportedFile {
  readonly descriptor: Readonly<Record<string, unknown>>;
  /** The descriptor as a file; a valid one unless there is an error among the problems. */
  readonly text: string;
  readonly problems: readonly Problem[];
}

/** `file`: a compose file, or the folder in which one lies. NOT_FOUND when there is none. Nothing is written. */
export async function importFile(
  file: string,
  options: { readonly name?: string | undefined; readonly out?: string | undefined; readonly env: NodeJS.ProcessEnv },
): Promise<ImportedFile> {
  const { path, text } = await find(file);
  const folder = dirname(resolve(path));
  const variables = { ...parseEnvironment((await textOf(join(folder, '.env'))) ?? ''), ...given(options.env) };
  const compose = readCompose(text, path, variables);
  const imported = importCompose(compose, options.name ?? basename(folder), await besideOf(compose.root, folder));
  const { descriptor } = imported;
  const written = stringify(descriptor, { lineWidth: 0 });
  if (imported.problems.some(({ severity }) => severity !== 'warning')) return { ...imported, text: written };
  const out = options.out ?? 'descriptor';
  // What it takes in lies beside the descriptor.
  const place = options.out === undefined ? folder : dirname(resolve(options.out));
  const document = await withReferences({ file: out, text: written }, place);
  const { problems } = parseDescriptor(written, out, document.files ? { files: document.files } : {});
  return { descriptor, text: written, problems: [...imported.problems, ...problems] };
}

async function find(file: string): Promise<{ readonly path: string; readonly text: string }> {
  for (const path of [file, ...usualNames.map((name) => join(file, name))]) {
    const text = await textOf(path);
    if (text !== undefined) return { path, text };
  }
  const hint = `name a compose file, or a folder with ${usualNames[0]}`;
  throw new ProblemError(problem('NOT_FOUND', `${file} is no compose file, and none lies in it`, { hint }));
}

async function besideOf(root: Fields, folder: string): Promise<Beside> {
  const names = servicesOf(root).flatMap(([, service]) => listOf(service['env_file']));
  const files = names.map((one) => String(isFields(one) ? one['path'] : one));
  const read = await Promise.all(
    [...new Set(files)].map(async (one) => [one, await textOf(join(folder, one))] as const),
  );
  const sources = [...new Set(localSources(root))].filter((one) => !isAbsolute(one));
  const sizes = await Promise.all(sources.map((one) => stat(join(folder, one)).catch(() => undefined)));
  return {
    environment: Object.fromEntries(read.flatMap(([one, found]) => (found === undefined ? [] : [[one, found]]))),
    texts: new Set(sources.filter((_, index) => sizes[index]?.isFile() && sizes[index].size <= maxFileBytes)),
  };
}

function given(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EISDIR' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}
