/** Which files of a repository a cluster reads, and what they are called there. */

/** Whose files, and below which folder of the repository. */
export interface Selection {
  readonly cluster: string;
  readonly path: string;
}

function prefixOf({ path }: Selection): string {
  return path === '' ? '' : `${path}/`;
}

function rootsOf(where: Selection): readonly string[] {
  return [`clusters/${where.cluster}/`, 'common/'];
}

/**
 * Which files a cluster reads: where a folder `clusters/` exists below `path`, only `clusters/<its name>/` and `common/`; else all.
 * Dot folders and dot files are ignored.
 */
export function selectPaths<T extends { readonly path: string }>(entries: readonly T[], where: Selection): T[] {
  const prefix = prefixOf(where);
  const visible = entries.filter(
    ({ path }) =>
      path.startsWith(prefix) &&
      !path
        .slice(prefix.length)
        .split('/')
        .some((part) => part.startsWith('.')),
  );
  const manyClusters = visible.some(({ path }) => path.startsWith(`${prefix}clusters/`));
  if (!manyClusters) return visible;
  const roots = rootsOf(where).map((root) => `${prefix}${root}`);
  return visible.filter(({ path }) => roots.some((root) => path.startsWith(root)));
}

/** Path below the folder that a cluster reads: `nodes.yaml` counts by name only at the root of it. */
export function belowRoot(path: string, where: Selection): string {
  const prefix = prefixOf(where);
  const below = path.startsWith(prefix) ? path.slice(prefix.length) : path;
  for (const root of rootsOf(where)) if (below.startsWith(root)) return below.slice(root.length);
  return below;
}

/**
 * Path of what lies at `below` beside the folder `clusters/` in which `file` is; undefined for a file that is not in
 * `clusters/<name>/`.
 */
export function besideClusters(below: string, file: string): string | undefined {
  const steps = file.split('/');
  // The name of the cluster, and that of the file, come behind it.
  const at = steps.slice(0, -2).lastIndexOf('clusters');
  return at < 0 ? undefined : [...steps.slice(0, at), below].join('/');
}

/** Names of the clusters that have a folder of their own. */
export function clustersIn(paths: readonly string[]): readonly string[] {
  const names = paths.flatMap((path) => /^clusters\/([^/]+)\/./.exec(path)?.[1] ?? []);
  return [...new Set(names)].sort();
}
