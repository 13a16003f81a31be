/**
 * What a copy gets of its host: from what it asks and what the node grants, with every path followed to where it leads at this
 * moment. Runtimes give what comes out of here and nothing else. HOST_NOT_GRANTED names the line of policy.yaml that is missing.
 */
import type { Stats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { type Asked, askedOf, type Grant, grantedFolders, isFor } from '../../schemas/grants.ts';
import {
  capabilityFault,
  deviceFault,
  hostPathFault,
  isWithin,
  privilegedMeans,
  targetFault,
} from '../../schemas/host-access.ts';
import { type InstanceName, parseInstanceName } from '../../schemas/names.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { HostMount, RunSpec } from '../../schemas/spec.ts';
import { hostRefusal } from '../core/refusal.ts';

/** A folder or file of the host where it really is. */
export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What a copy gets of its host. Made by {@link createAccess} alone. */
export interface Granted {
  readonly devices: readonly { readonly host: string; readonly container: string }[];
  readonly binds: readonly Bind[];
  readonly hostNetwork: boolean;
  readonly caps: readonly string[];
}

/** What copies get that ask for nothing. */
export const nothingGranted: Granted = { devices: [], binds: [], hostNetwork: false, caps: [] };

export interface AccessDeps {
  readonly grants: readonly Grant[];
  /** Folders and sockets that no copy sees: the agent's own, and the engine's. */
  readonly own: readonly string[];
}

export interface Access {
  /** What this copy gets. Throws HOST_NOT_GRANTED, or START_FAILED for a path that leads to nothing. `own`: as in the deps. */
  admit(instance: InstanceName, run: RunSpec, own?: readonly string[]): Promise<Granted>;
  /** Do these sources, resolved before, still lead to themselves? Throws HOST_NOT_GRANTED when one was replaced by a link. */
  recheck(sources: readonly string[]): Promise<void>;
}

export function createAccess(deps: AccessDeps): Access {
  return {
    async admit(instance, run, own = []) {
      const refused = hostRefusal(instance, run, deps.grants);
      if (refused) throw new ProblemError(refused);
      checkVolumes(run);
      const asked = askedOf(run);
      const service = parseInstanceName(instance)?.service;
      if (!asked || service === undefined) return nothingGranted;
      checkShape(asked);
      const closed = await resolved([...deps.own, ...own]);
      const ours = deps.grants.filter((grant) => isFor(grant, service));
      const devices = [...asked.devices, ...(asked.privileged ? [privilegedMeans.device] : [])];
      return {
        devices: await Promise.all([...new Set(devices)].map(deviceOf)),
        binds: await Promise.all(asked.mounts.map((mount) => bindOf(mount, grantedFolders(mount, ours), closed))),
        hostNetwork: asked.hostNetwork,
        caps: [...new Set([...asked.caps, ...(asked.privileged ? [privilegedMeans.capability] : [])])],
      };
    },
    async recheck(sources) {
      for (const source of sources) {
        const now = await follow(source);
        if (now !== source) throw refusal(`mount ${source} was replaced: it leads to ${now} now`);
      }
    },
  };
}

/** A run spec may come from anybody who can sign: what no descriptor can say is refused here again. */
function checkShape({ devices, mounts, caps }: Asked): void {
  const faults = [
    ...devices.map(deviceFault),
    ...mounts.flatMap(({ source, target }) => [hostPathFault(source), targetFault(target)]),
    ...caps.map((cap) => capabilityFault(cap)?.message),
  ];
  const fault = faults.find((one) => one !== undefined);
  if (fault !== undefined) throw refusal(fault);
}

/** Volumes need no grant, and hide nothing that belongs to the engine. */
function checkVolumes({ volumes = [] }: RunSpec): void {
  const fault = volumes.map(({ mount_path }) => targetFault(mount_path)).find((one) => one !== undefined);
  if (fault !== undefined) throw refusal(fault);
}

async function deviceOf(path: string): Promise<Granted['devices'][number]> {
  const host = await follow(path);
  const found = await lookAt(host);
  const isDevice = found.isCharacterDevice() || found.isBlockDevice();
  if (!isDevice || !isWithin(host, '/dev')) throw refusal(`${path} leads to ${host}, which is no device below /dev`);
  return { host, container: path };
}

/** The mount where it leads to. `granted`: folders that allow it as written; it must not leave them. */
async function bindOf(mount: HostMount, granted: readonly string[], closed: readonly string[]): Promise<Bind> {
  const source = await follow(mount.source);
  const fault = hostPathFault(source, closed);
  if (fault) throw refusal(`mount ${mount.source}: ${fault}`);
  const roots = await resolved(granted);
  if (!roots.some((root) => isWithin(source, root))) {
    throw refusal(`mount ${mount.source} leads to ${source}, which is outside ${granted.join(', ')}`);
  }
  const found = await lookAt(source);
  if (!found.isDirectory() && !found.isFile()) throw refusal(`mount ${mount.source} is neither a folder nor a file`);
  return { source, target: mount.target, readOnly: mount.read_only === true };
}

async function follow(path: string): Promise<string> {
  return realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw absent(path, error);
  });
}

async function lookAt(path: string): Promise<Stats> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    throw absent(path, error);
  });
}

/** Where paths really are; those that lead to nothing are kept as they are. */
function resolved(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map((path) => realpath(path).catch(() => path)));
}

function absent(path: string, error: NodeJS.ErrnoException): ProblemError {
  const why = error.code === 'ENOENT' ? 'is not there' : `cannot be read (${error.code ?? error.message})`;
  return new ProblemError(
    problem('START_FAILED', `${path} ${why} on this node`, { subject: path, disposition: 'retry' }),
    {
      cause: error,
    },
  );
}

function refusal(message: string): ProblemError {
  return new ProblemError(problem('HOST_NOT_GRANTED', `${message}; no policy.yaml can grant that`));
}
