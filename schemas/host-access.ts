/**
 * What a container may ever ask of its host, as rules on names and paths. Pure and lexical: the same answer for the editor's
 * user, the reconciler and the agent. Whether a node grants it is in grants.ts; what a path leads to, only its agent can see.
 */
import { nearest } from './spelling.ts';

/**
 * What every container has. Common images need it to start as root and step down: take over their data folder (CHOWN,
 * DAC_OVERRIDE, FOWNER), become their own user (SETUID, SETGID), signal workers that run as that user (KILL), and bind port 80
 * on old kernels (NET_BIND_SERVICE). Left out of the engine's default: raw sockets, device nodes, file capabilities, chroot,
 * audit, FSETID and SETPCAP. `ping` works without NET_RAW, by the engine's ping_group_range.
 */
export const usualCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
] as const;

/** What a node may grant beyond {@link usualCapabilities}. */
export const grantableCapabilities: readonly string[] = [
  ...['AUDIT_CONTROL', 'AUDIT_READ', 'AUDIT_WRITE', 'BLOCK_SUSPEND', 'BPF', 'CHECKPOINT_RESTORE', 'DAC_READ_SEARCH'],
  ...['FSETID', 'IPC_LOCK', 'IPC_OWNER', 'LEASE', 'LINUX_IMMUTABLE', 'MAC_ADMIN', 'MAC_OVERRIDE', 'MKNOD', 'NET_ADMIN'],
  ...['NET_BROADCAST', 'NET_RAW', 'PERFMON', 'SETFCAP', 'SETPCAP', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_CHROOT', 'SYS_MODULE'],
  ...['SYS_NICE', 'SYS_PACCT', 'SYS_PTRACE', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'SYSLOG'],
  'WAKE_ALARM',
];

/** Oakestra's `privileged` is this and no more: the device of user-space file systems, and the right to mount one. */
export const privilegedMeans = { device: '/dev/fuse', capability: 'SYS_ADMIN' } as const;

/** Folders of a host that no container gets, whatever a policy says; nor what they lie in, nor what lies in them. */
export const neverMounted: readonly string[] = [
  ...['/boot', '/dev', '/etc', '/proc', '/root', '/run', '/sys', '/var/run'],
  ...['/var/lib/docker', '/var/lib/containerd', '/var/lib/kubelet'],
];

/** Longest path, in characters. */
export const longestPath = 255;

/** `NET_ADMIN` of `cap_net_admin` and the like. */
export function capabilityName(written: string): string {
  return written.toUpperCase().replace(/^CAP_/, '');
}

/** Why this is no capability; undefined when it is one. */
export function capabilityFault(name: string): { readonly message: string; readonly hint?: string } | undefined {
  const known = [...usualCapabilities, ...grantableCapabilities];
  if (known.includes(name)) return undefined;
  const meant = nearest(name, known);
  return { message: `there is no capability \`${name}\``, ...(meant ? { hint: `did you mean \`${meant}\`?` } : {}) };
}

/** Why this is no plain absolute path (`/a/b`, without steps, blanks at its ends, or a slash at its end). */
export function pathFault(path: string): string | undefined {
  if (!path.startsWith('/')) return `\`${path}\` is not an absolute path`;
  if (path.length > longestPath) return `a path is ${path.length} characters long, at most ${longestPath}`;
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(path)) return 'a path holds invisible characters';
  if (path !== '/' && path.slice(1).split('/').some(isStep))
    return `\`${path}\` is not plain: no //, . or .., no / at its end`;
  return undefined;
}

function isStep(level: string): boolean {
  return level === '' || level === '.' || level === '..';
}

/** Is `path` the folder itself, or below it? Both plain. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** Why this path of a host is never mounted. `own`: further folders that are nobody's business, e.g. the agent's. */
export function hostPathFault(path: string, own: readonly string[] = []): string | undefined {
  const fault = pathFault(path);
  if (fault) return fault;
  if (path === '/') return 'the root of a host is never mounted';
  for (const folder of [...neverMounted, ...own]) {
    if (isWithin(path, folder)) return `\`${path}\` is never mounted: ${folder} belongs to the host alone`;
    if (isWithin(folder, path))
      return `\`${path}\` is never mounted: it holds ${folder}, which belongs to the host alone`;
  }
  return undefined;
}

/** Why this is no path of a device. */
export function deviceFault(path: string): string | undefined {
  return pathFault(path) ?? (/^\/dev\/./.test(path) ? undefined : `\`${path}\` is not below /dev`);
}

/** Folders of a container that belong to the engine. */
const engineFolders = ['/dev', '/proc', '/sys'];
/** Files that the engine puts into every container. */
const engineFiles = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf', '/.dockerenv'];

/** Why nothing can be mounted at this path of a container. */
export function targetFault(path: string): string | undefined {
  const fault = pathFault(path);
  if (fault) return fault;
  if (path === '/') return 'the root of a container is its image';
  const folder = engineFolders.find((one) => isWithin(path, one));
  return folder && `\`${path}\` cannot be replaced: ${folder} belongs to the engine`;
}

/** Why no file can be put at this path of a container. */
export function filePathFault(path: string): string | undefined {
  if (engineFiles.includes(path)) return `\`${path}\` cannot be replaced: the engine writes it`;
  return targetFault(path);
}
