/** What descriptors take from the repository in which they lie, files and secrets: read here, and sent along. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';

/**
 * The document with the contents of the files that it names. The root is the next folder above it that holds `.git`, else its
 * own. What is not there, not a plain file, or outside, is left out: validation then says so with its place in the text.
 */
export async function withReferences(document: DocumentText, folder: string): Promise<DocumentText> {
  // Without these words there is nothing to look for, and no parser to load.
  if (!/from|secrets/.test(document.text)) return document;
  const { parseDescriptor } = await import('../../schemas/descriptor.ts');
  const { references } = parseDescriptor(document.text, document.file);
  if (references.length === 0) return document;
  const root = await rootOf(resolve(folder));
  const texts = await Promise.all(
    references.map(async (from) => [from, await textOf(from, resolve(folder), root)] as const),
  );
  return {
    ...document,
    files: Object.fromEntries(texts.flatMap(([from, text]) => (text === undefined ? [] : [[from, text]]))),
  };
}

/** Where a reference may lead to. A secret lies in the next folder `secrets` at or above the document. */
async function pathsOf(from: string, folder: string, root: string): Promise<readonly string[]> {
  const { secretFile, secretOf } = await import('../../schemas/secret-file.ts');
  const secret = secretOf(from);
  if (secret === undefined) return [from.startsWith('./') ? join(folder, from) : join(root, from)];
  return foldersUp(folder, root).map((above) => join(above, secretFile(secret)));
}

/** A folder, and those above it down to the root. */
function foldersUp(folder: string, root: string): readonly string[] {
  const above = dirname(folder);
  return folder === root || above === folder ? [folder] : [folder, ...foldersUp(above, root)];
}

async function textOf(from: string, folder: string, root: string): Promise<string | undefined> {
  for (const path of await pathsOf(from, folder, root)) {
    const text = await readInside(path, root);
    if (text !== undefined) return text;
  }
  return undefined;
}

async function readInside(path: string, root: string): Promise<string | undefined> {
  const { maxFileBytes } = await import('../../schemas/descriptor-files.ts');
  const { secretFolder, maxSecretBytes } = await import('../../schemas/secret-file.ts');
  const most = basename(dirname(path)) === secretFolder ? maxSecretBytes : maxFileBytes;
  try {
    const info = await lstat(path);
    const inside = relative(await realpath(root), await realpath(path));
    if (!info.isFile() || info.size > most || inside.startsWith('..')) return undefined;
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The folder that holds `.git`, at or above this one; else this one. */
async function rootOf(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await lstat(join(at, '.git')).catch(() => undefined);
    if (found) return at;
    if (dirname(at) === at) return folder;
  }
}
