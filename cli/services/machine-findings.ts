/** What a machine must have for oakctl: judged here, gathered by local/machine.ts. */
import { type Finding, failed, ok, warning } from './doctor.ts';

export interface Machine {
  /** Of Node, e.g. `v20.19.0`. */
  readonly node: string;
  /** Text of `git --version`; absent without git. */
  readonly git?: string;
  /** API version of the Docker Engine; absent when none answers. */
  readonly engine?: string;
  /** Can a process listen on 127.0.0.11? Workers of `up` have such addresses. */
  readonly loopback: boolean;
  /** Of the usual ports, those that something listens on. */
  readonly takenPorts: readonly number[];
  /** Where the folder of oakctl lies: free bytes and files; absent where the system does not say. */
  readonly disk?: { readonly path: string; readonly bytes: number; readonly files?: number };
  /** ms since 1970 on the clock of this machine. */
  readonly now: number;
}

/** How the machine is used: `client` talks to a cluster elsewhere, and needs no Engine, ports or addresses. */
export type Role = 'host' | 'client';

/** Findings about this machine. `busy`: a cluster of this machine is up, so its ports are taken by it. */
export function checkMachine(machine: Machine, role: Role, busy: boolean): readonly Finding[] {
  const common = [judgeNode(machine.node), judgeGit(machine.git), judgeClock(machine.now), judgeDisk(machine.disk)];
  if (role === 'client') return common;
  return [
    ...common,
    judgeEngine(machine.engine),
    judgePorts(machine.takenPorts, busy),
    judgeAddresses(machine.loopback),
  ];
}

function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const newEnough = major > 20 || (major === 20 && minor >= 19);
  if (newEnough) return ok('node', `Node ${version}`);
  return failed(
    'node',
    `Node ${version} is too old`,
    'install Node 20.19 or newer: `apt install nodejs`, or nodejs.org',
  );
}

function judgeGit(version: string | undefined): Finding {
  return version ? ok('git', version) : failed('git', 'there is no git: sources are read with it', '`apt install git`');
}

function judgeEngine(version: string | undefined): Finding {
  if (version) return ok('docker', `a Docker Engine answers (API ${version})`);
  return failed(
    'docker',
    'no Docker Engine answers: container services are held with NO_RUNTIME',
    '`systemctl start docker`, `apt install docker.io`, or set DOCKER_HOST',
  );
}

function judgePorts(taken: readonly number[], busy: boolean): Finding {
  if (taken.length === 0) return ok('ports', 'the usual ports are free');
  const list = taken.join(' and ');
  if (busy) return ok('ports', `${list} in use while a cluster of this machine is up`);
  const hint = `\`ss -ltnp 'sport = :${taken[0]}'\` says by whom; \`oakctl up\` takes the next free one`;
  return warning('ports', `${list} in use by something else`, hint);
}

function judgeAddresses(loopback: boolean): Finding {
  if (loopback) return ok('addresses', 'workers can have loopback addresses of their own');
  return warning(
    'addresses',
    '127.0.0.11 cannot be used: workers of `oakctl up` could not publish the same port',
    '`ip address add 127.0.0.11/8 dev lo`, and so on for each worker',
  );
}

const megabyte = 1024 * 1024;
/** Free bytes below which work gets hard, and impossible. */
const enoughBytes = 1024 * megabyte;
const leastBytes = 100 * megabyte;
const leastFiles = 1000;

function judgeDisk(disk: Machine['disk']): Finding {
  if (!disk) return ok('disk', 'this system does not say how much is free');
  const { path, bytes, files } = disk;
  const free = `${Math.floor(bytes / megabyte)} MB free at ${path}`;
  const hint = '`docker image prune` and `oakctl down --purge` of clusters that nobody needs free some';
  if (files !== undefined && files < leastFiles)
    return failed('disk', `${files} files may still be made at ${path}`, hint);
  if (bytes < leastBytes) return failed('disk', free, hint);
  return bytes < enoughBytes ? warning('disk', free, hint) : ok('disk', free);
}

/** Older than the first release: a clock that was never set. ms since 1970. */
const firstRelease = Date.UTC(2025, 0, 1);

function judgeClock(now: number): Finding {
  const time = new Date(now).toISOString();
  if (now >= firstRelease) return ok('clock', time);
  return failed(
    'clock',
    `the clock of this machine says ${time}: certificates and tokens fail`,
    '`timedatectl set-ntp true`',
  );
}
