/** Reads what a command line names: files, folders, or `-` for standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

const extensions = new Set(['.yaml', '.yml', '.json']);
/** Files that oakctl reads by name, and that are no descriptors. */
const namedFiles = new Set(['nodes.yaml', 'oakctl.yaml', 'cluster.yaml']);
/** How a descriptor shows itself: one of these keys at the top level (YAML or JSON). */
const descriptorKey = /^\s*[{,]?\s*["']?(sla_version|applications)["']?\s*:/m;
/** Longer input is refused here already; the schema's own limit is lower. */
const maxBytes = 16 * 1024 * 1024;

/** True for YAML and JSON that shows itself as a descriptor. */
export function looksLikeDescriptor(document: DocumentText): boolean {
  return !namedFiles.has(basename(document.file)) && descriptorKey.test(document.text);
}

/**
 * Texts of the given files. A folder stands for the descriptors in it, at any depth; dot folders and node_modules are left out.
 * A file that is named is always taken. NOT_FOUND for what is not there, or for a folder without descriptors.
 */
export async function readDocuments(
  paths: readonly string[],
  stdin: AsyncIterable<Buffer | string>,
): Promise<readonly DocumentText[]> {
  const found: DocumentText[] = [];
  for (const path of paths) {
    if (path === '-') found.push({ file: 'stdin', text: await readAll(stdin) });
    else found.push(...(await readPath(path)));
  }
  return found;
}

/** Every YAML and JSON file of a folder as the reconciler would see it in a repository: paths relative to the folder. */
export async function readFolder(folder: string): Promise<readonly DocumentText[]> {
  const files = await listFiles(folder);
  return Promise.all(files.map(async (file) => ({ file: relative(folder, file), text: await readText(file) })));
}

async function readPath(path: string): Promise<readonly DocumentText[]> {
  if (!(await isFolder(path))) return [{ file: path, text: await readText(path) }];
  const files = await listFiles(path);
  const documents = await Promise.all(files.map(async (file) => ({ file, text: await readText(file) })));
  const descriptors = documents.filter(looksLikeDescriptor);
  if (descriptors.length > 0) return descriptors;
  throw new ProblemError(
    problem(
      'NOT_FOUND',
      `no descriptor below ${path}: ${files.length} YAML and JSON files, none with \`applications\``,
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

async function listFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry): Promise<readonly string[]> => {
      const path = join(folder, entry.name);
      if (entry.name.startsWith('.') || entry.name === 'node_modules') return [];
      if (entry.isDirectory()) return listFiles(path);
      return entry.isFile() && extensions.has(extname(entry.name)) ? [path] : [];
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
  if (error.code === 'ENOENT') return new ProblemError(problem('NOT_FOUND', `there is no file or folder ${path}`));
  return new ProblemError(problem('NOT_FOUND', `${path} cannot be read (${error.code ?? error.message})`));
}
