/** What descriptors take from the repository in which they lie, files and secrets: read here, and sent along. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';

/**
 * The document with the contents of the files that it names. The root is the next folder above it that holds `.git`, else the
 * one with `clusters/`, else its own. What is not there, not a plain file, or outside, is left out: validation then says so with its place in the text.
 */
export async function withReferences(document: DocumentText, folder: string): Promise<DocumentText> {
  // Without these words there is nothing to look for, and no parser to load.
  if (!/from|secrets|patch/.test(document.text)) return document;
  const { parseDescriptor } = await import('../../schemas/descriptor.ts');
  const { besideOf } = await import('../../schemas/overlay.ts');
  const { besideClusters } = await import('../../schemas/selection.ts');
  const isBeside = (from: string): boolean => besideOf(from) !== undefined;
  const root = await rootOf(resolve(folder));
  const looked = new Set<string>();
  const files: Record<string, string> = {};
  // What a patch takes in is known once there is what it patches.
  for (;;) {
    const place = resolve(folder, basename(document.file));
    const { references } = parseDescriptor(document.text, place, { files });
    const fresh = references.filter((from) => !looked.has(from));
    if (fresh.length === 0 && looked.size === 0) return document;
    // Of a patch its place says what it patches.
    const isPlaced = besideClusters('', document.file) !== undefined || ![...looked].some(isBeside);
    if (fresh.length === 0) return { ...document, file: isPlaced ? document.file : place, files };
    for (const from of fresh) {
      looked.add(from);
      const text = await textOf(from, resolve(folder), root, isBeside(from));
      if (text !== undefined) files[from] = text;
    }
  }
}

/**
 * Where a reference may lead to. A secret lies in the next folder `secrets` at or above the document; that of `common/` comes behind
 * that of the cluster.
 */
async function pathsOf(from: string, folder: string, root: string): Promise<readonly string[]> {
  const { secretFile, secretOf } = await import('../../schemas/secret-file.ts');
  const { besideOf } = await import('../../schemas/overlay.ts');
  const { besideClusters } = await import('../../schemas/selection.ts');
  const beside = besideOf(from);
  if (beside !== undefined) return [besideClusters(beside, join(folder, 'file')) ?? join(root, beside)];
  const secret = secretOf(from);
  if (secret === undefined) return [from.startsWith('./') ? join(folder, from) : join(root, from)];
  const above = foldersUp(folder, root).flatMap((one) => {
    return basename(one) === 'clusters' ? [join(dirname(one), 'common'), one] : [one];
  });
  return above.map((one) => join(one, secretFile(secret)));
}

/** A folder, and those above it down to the root. */
function foldersUp(folder: string, root: string): readonly string[] {
  const above = dirname(folder);
  return folder === root || above === folder ? [folder] : [folder, ...foldersUp(above, root)];
}

async function textOf(from: string, folder: string, root: string, isDescriptor: boolean): Promise<string | undefined> {
  for (const path of await pathsOf(from, folder, root)) {
    const text = await readInside(path, root, isDescriptor);
    if (text !== undefined) return text;
  }
  return undefined;
}

async function readInside(path: string, root: string, isDescriptor: boolean): Promise<string | undefined> {
  const { maxFileBytes } = await import('../../schemas/descriptor-files.ts');
  const { secretFolder, maxSecretBytes } = await import('../../schemas/secret-file.ts');
  const { yamlLimits } = await import('../../schemas/yaml-scan.ts');
  const longest = basename(dirname(path)) === secretFolder ? maxSecretBytes : maxFileBytes;
  const most = isDescriptor ? yamlLimits.bytes : longest;
  try {
    const info = await lstat(path);
    const inside = relative(await realpath(root), await realpath(path));
    // Also behind a link: in git's own folder there are logins.
    const isOwn = inside.split(sep).every((level) => level !== '..' && level.toLowerCase() !== '.git');
    if (!info.isFile() || info.size > most || !isOwn) return undefined;
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The folder that holds `.git`, at or above this one; else the one that holds `clusters/`; else this one. */
async function rootOf(folder: string): Promise<string> {
  const { besideClusters } = await import('../../schemas/selection.ts');
  for (let at = folder; ; at = dirname(at)) {
    const found = await lstat(join(at, '.git')).catch(() => undefined);
    if (found) return at;
    if (dirname(at) === at) return resolve(besideClusters('.', join(folder, 'file')) ?? folder);
  }
}
