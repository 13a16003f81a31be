/**
 * Sees a push to a repository on this machine at once. Folders that a ref may appear in are watched; those that do not exist yet
 * are awaited at the nearest one that does. Polling goes on beside it: a missed event costs time, never truth.
 */
import { existsSync, type FSWatcher, statSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../../schemas/io/log.ts';

/** Events of one push come within this many milliseconds. */
const quiet = 10;

interface Watched {
  readonly watcher: FSWatcher;
  readonly identity: string | undefined;
}

/** Calls back when the ref of a local repository (bare or not) may have changed. Returns how to stop. */
export function watchRefs(path: string, ref: string, changed: () => void, log?: Log): () => void {
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const settle = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      refresh();
      changed();
    }, quiet);
  };
  const start = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, file) => {
        if (stopped) return;
        const gone = !existsSync(folder);
        if (gone) drop(folder);
        // A lock file comes and goes around each change; the change itself is the rename that follows.
        if (gone || !file?.endsWith('.lock')) settle();
      });
      watcher.on('error', () => {
        drop(folder);
        if (!stopped) settle();
      });
      watched.set(folder, { watcher, identity: identityOf(folder) });
    } catch (error) {
      log?.('warn', 'a repository cannot be watched; it is polled', { folder, reason: String(error) });
    }
  };
  const drop = (folder: string): void => {
    watched.get(folder)?.watcher.close();
    watched.delete(folder);
  };
  /** Watches what should be watched now. A folder that was removed and made again is another one. */
  const refresh = (): void => {
    if (stopped) return;
    const wanted = new Set(refFolders(path, ref).map(nearestExisting));
    for (const [folder, { identity }] of watched) {
      if (!wanted.has(folder) || identityOf(folder) !== identity) drop(folder);
    }
    for (const folder of wanted) if (!watched.has(folder)) start(folder);
  };

  refresh();
  return () => {
    stopped = true;
    clearTimeout(timer);
    for (const folder of [...watched.keys()]) drop(folder);
  };
}

/** Folders in which a change of the ref shows: its own, those above it, and that of packed-refs. */
function refFolders(path: string, ref: string): string[] {
  const dotGit = join(path, '.git');
  const repository = existsSync(dotGit) ? dotGit : path;
  const folders = [repository, join(repository, 'refs')];
  for (const kind of ['heads', 'tags']) {
    let at = join(repository, 'refs', kind);
    folders.push(at);
    for (const level of ref.split('/').slice(0, -1)) {
      at = join(at, level);
      folders.push(at);
    }
  }
  return folders;
}

function nearestExisting(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

/** Tells a folder from one that was made later under its name, also where inode numbers are used again. */
function identityOf(folder: string): string | undefined {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return found && `${found.ino} ${found.birthtimeNs}`;
}
