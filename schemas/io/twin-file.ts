/**
 * Small text files that other programs read as they are, and that are hardly ever written: each has its like beside it
 * (`<file>~`), so that one that a dying disk emptied, cut or filled with zeros is put back.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `damaged`: there is a file, and neither it nor its twin is whole. */
export type Twin = { readonly text: string } | { readonly damaged: boolean };

/**
 * The text, from the file or else from its twin; the other of the two is mended as far as the disk allows. What is whole,
 * `isWhole` decides. Throws what reading throws, except that a file is not there.
 */
export async function readTwin(file: string, isWhole: (text: string) => boolean): Promise<Twin> {
  const [text, twin] = await Promise.all([readIfThere(file), readIfThere(twinOf(file)).catch(() => undefined)]);
  if (text !== undefined && isWhole(text)) {
    if (twin !== text) await replaceSynced(twinOf(file), text).catch(() => undefined);
    return { text };
  }
  if (twin === undefined || !isWhole(twin)) return { damaged: text !== undefined };
  await replaceSynced(file, twin).catch(() => undefined);
  return { text: twin };
}

/** Writes a file whole or not at all, for its owner only; it outlives a power cut. */
export async function replaceSynced(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await synced(await open(temporary, 'wx', 0o600), (handle) => handle.writeFile(text));
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await synced(await open(dirname(file), 'r'), async () => undefined);
}

type Handle = Awaited<ReturnType<typeof open>>;

async function synced(handle: Handle, work: (handle: Handle) => Promise<void>): Promise<void> {
  try {
    await work(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function twinOf(file: string): string {
  return `${file}~`;
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
