/** Reads what a command line names: files, folders, or `-` for standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, posix } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { withReferences } from './references.ts';

/** Longer input is refused here already; the schema's own limit is lower. */
const maxBytes = 16 * 1024 * 1024;

/**
 * Texts of the given files. A folder stands for the descriptors in it, as the reconciler would find them in a repository, broken
 * ones included. A file that is named is always taken. NOT_FOUND for what is not there, or for a folder without descriptors.
 */
export async function readDocuments(
  paths: readonly string[],
  stdin: AsyncIterable<Buffer | string>,
): Promise<readonly DocumentText[]> {
  const found: DocumentText[] = [];
  for (const path of paths) {
    if (path === '-') found.push(await withReferences({ file: 'stdin', text: await readAll(stdin) }, '.'));
    else found.push(...(await readPath(path)));
  }
  return found;
}

/** Every file of a folder that can count in a repository: paths relative to the folder. */
export async function readFolder(folder: string): Promise<readonly DocumentText[]> {
  const { mayCount } = await import('../../schemas/classify.ts');
  const files = (await listFiles(folder, '')).filter(mayCount);
  return Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      return withReferences({ file, text: await readText(path) }, dirname(path));
    }),
  );
}

async function readPath(path: string): Promise<readonly DocumentText[]> {
  if (!(await isFolder(path))) return [await withReferences({ file: path, text: await readText(path) }, dirname(path))];
  const { classifyFile } = await import('../../schemas/classify.ts');
  const found = await readFolder(path);
  const descriptors = found.filter(({ file, text }) =>
    ['descriptor', 'invalid'].includes(classifyFile(file, text).kind),
  );
  // Of a patch it is told whole.
  const fileOf = ({ file }: DocumentText): string => (isAbsolute(file) ? file : join(path, file));
  if (descriptors.length > 0) return descriptors.map((one) => ({ ...one, file: fileOf(one) }));
  throw new ProblemError(
    problem(
      'NOT_FOUND',
      `no descriptor below ${path}: of ${found.length} YAML and JSON files none has \`applications\``,
      {
        hint: '`oakctl init` writes one to start from',
      },
    ),
  );
}

/** True for a folder; NOT_FOUND when there is nothing of that name. */
export async function isFolder(path: string): Promise<boolean> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(path, error);
  });
  return info.isDirectory();
}

/** Paths below a folder, relative to it, sorted. Dot folders and node_modules are not entered. */
async function listFiles(root: string, below: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry): Promise<readonly string[]> => {
      const path = posix.join(below, entry.name);
      if (entry.name.startsWith('.') || entry.name === 'node_modules') return [];
      if (entry.isDirectory()) return listFiles(root, path);
      return entry.isFile() ? [path] : [];
    }),
  );
  return nested.flat().sort();
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes)
      throw new ProblemError(problem('DESCRIPTOR_INVALID', `${path} has ${size} bytes, 16 MiB are read`));
    return await readFile(path, 'utf8');
  } catch (error) {
    throw error instanceof ProblemError ? error : unreadable(path, error as NodeJS.ErrnoException);
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    pieces.push(Buffer.from(piece));
    bytes += pieces.at(-1)?.length ?? 0;
    if (bytes > maxBytes) throw new ProblemError(problem('DESCRIPTOR_INVALID', 'more than 16 MiB on standard input'));
  }
  return Buffer.concat(pieces).toString('utf8');
}

function unreadable(path: string, error: NodeJS.ErrnoException): ProblemError {
  if (error.code === 'ENOENT') {
    const hint = 'is the path right, from where you are? `oakctl init` writes a first descriptor';
    return new ProblemError(problem('NOT_FOUND', `there is no file or folder ${path}`, { hint }));
  }
  return new ProblemError(problem('NOT_FOUND', `${path} cannot be read (${error.code ?? error.message})`));
}
