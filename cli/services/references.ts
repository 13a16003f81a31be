/** What descriptors take `from` the repository in which they lie: read here, and sent along. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';

/**
 * The document with the contents of the files that it names. The root is the next folder above it that holds `.git`, else its
 * own. What is not there, not a plain file, or outside, is left out: validation then says so with its place in the text.
 */
export async function withReferences(document: DocumentText, folder: string): Promise<DocumentText> {
  // Without the word there is nothing to look for, and no parser to load.
  if (!document.text.includes('from')) return document;
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

function pathOf(from: string, folder: string, root: string): string {
  return from.startsWith('./') ? join(folder, from) : join(root, from);
}

async function textOf(from: string, folder: string, root: string): Promise<string | undefined> {
  const { maxFileBytes } = await import('../../schemas/descriptor-files.ts');
  const path = pathOf(from, folder, root);
  try {
    const info = await lstat(path);
    const inside = relative(await realpath(root), await realpath(path));
    if (!info.isFile() || info.size > maxFileBytes || inside.startsWith('..')) return undefined;
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
