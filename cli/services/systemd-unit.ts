/** systemd units for the two processes, made for the paths of one machine. Pure. */

export type Role = 'reconciler' | 'agent';

export interface UnitOptions {
  readonly role: Role;
  /** Absolute folder of the reconciler or agent: all that it may write. */
  readonly folder: string;
  /** Command line that starts oakctl, e.g. Node and the program. */
  readonly command: readonly string[];
  /** System user; default root for an agent, which commands the engine, and `oakctl` for a reconciler. */
  readonly user?: string;
}

/** Seconds until the next start after a failure; whoever must not start again is left alone. */
const restartAfter = 2;

/** The text of a unit file. What the process does not need is taken from it; V8 needs memory that is written and executed. */
export function systemdUnit({ role, folder, command, user = usualUser[role] }: UnitOptions): string {
  // In a command line, and only there, a dollar sign begins a variable.
  const start = [...command, role, '--folder', folder].map((word) => quoted(word.replaceAll('$', '$$$$'))).join(' ');
  return `${section('Unit', {
    Description: descriptions[role],
    Wants: 'network-online.target',
    After: role === 'agent' ? 'network-online.target docker.service' : 'network-online.target',
    StartLimitIntervalSec: '0',
  })}
${section('Service', {
  Type: 'exec',
  User: user,
  ExecStart: start,
  Restart: 'always',
  RestartSec: String(restartAfter),
  // What an agent started outlives it: its processes are adopted by the next one.
  KillMode: role === 'agent' ? 'process' : 'mixed',
  TimeoutStopSec: '30',
  UMask: '0077',
  LimitNOFILE: '65536',
  ...(role === 'reconciler' ? { ...hardening, ...reconcilerHardening } : hardening),
  ReadWritePaths: quoted(folder),
})}
${section('Install', { WantedBy: 'multi-user.target' })}`;
}

const usualUser: Readonly<Record<Role, string>> = { reconciler: 'oakctl', agent: 'root' };

const descriptions: Readonly<Record<Role, string>> = {
  reconciler: 'oakctl reconciler: makes a cluster run what its git repositories say',
  agent: 'oakctl agent: runs what its cluster assigns to this node',
};

const hardening = {
  NoNewPrivileges: 'yes',
  ProtectSystem: 'strict',
  PrivateTmp: 'yes',
  ProtectClock: 'yes',
  ProtectHostname: 'yes',
  ProtectKernelLogs: 'yes',
  ProtectKernelModules: 'yes',
  ProtectKernelTunables: 'yes',
  LockPersonality: 'yes',
  RestrictNamespaces: 'yes',
  RestrictRealtime: 'yes',
  RestrictSUIDSGID: 'yes',
  RestrictAddressFamilies: 'AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  SystemCallArchitectures: 'native',
} as const;

/** An agent looks at devices and folders of the host, and its processes may be anything. */
const reconcilerHardening = {
  CapabilityBoundingSet: '',
  PrivateDevices: 'yes',
  ProtectControlGroups: 'yes',
  ProtectHome: 'read-only',
  ProtectProc: 'invisible',
  SystemCallFilter: '@system-service',
} as const;

function section(name: string, values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  return `[${name}]\n${lines.join('')}`;
}

/** A word of a list: `%` means something to systemd, and so do quotes and spaces. */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w@%+=:,./$-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
