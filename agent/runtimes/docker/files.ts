/** The files of a run spec on their way into a container that has not been started. */
import { tar } from '../../../schemas/io/tar.ts';
import type { RunFile } from '../../../schemas/spec.ts';
import { type Engine, limits } from './engine.ts';

/**
 * Puts the files into a created container, all of root, with folders on their way made as needed. Putting them twice changes
 * nothing. A file where the image has a folder is refused by the engine (400).
 */
export async function putFiles(
  engine: Engine,
  id: string,
  files: readonly RunFile[],
  signal: AbortSignal,
): Promise<void> {
  const archive = archiveOf(files);
  await engine.call(limits.change, signal, (docker) =>
    docker.getContainer(id).putArchive(archive, { path: '/', noOverwriteDirNonDir: 'true' }),
  );
}

/** Archive of the files, to be unpacked at the root. Without entries for folders: those that are there keep their modes. */
export function archiveOf(files: readonly RunFile[]): Buffer {
  return Buffer.concat([
    ...tar(
      files.map(({ path, content, mode }) => ({
        path: path.replace(/^\/+/, ''),
        kind: 'file' as const,
        content: Buffer.from(content),
        mode,
      })),
    ),
  ]);
}
