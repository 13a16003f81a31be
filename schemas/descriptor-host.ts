/** What a microservice asks of its host, checked and in one way of writing: what cannot be granted anywhere is an error. */
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { missingGrant } from './grants.ts';
import {
  capabilityFault,
  capabilityName,
  deviceFault,
  hostPathFault,
  isWithin,
  targetFault,
  usualCapabilities,
} from './host-access.ts';
import type { ServiceName } from './names.ts';
import type { HostAccess, HostMount, RunSpec } from './spec.ts';
import type { Path } from './yaml.ts';

type Written = NonNullable<Microservice['host']>;

/** The `host` of a run spec; lists are sorted, so that their order restarts nothing. */
export function toHost(written: Written | undefined, path: Path, findings: Findings): HostAccess {
  if (!written) return {};
  const at = [...path, 'host'];
  const devices = toDevices(written.devices ?? [], [...at, 'devices'], findings);
  const mounts = toMounts(written.mounts ?? [], [...at, 'mounts'], findings);
  const caps = toCapabilities(written.caps ?? [], [...at, 'caps'], findings);
  return {
    ...(devices.length > 0 ? { devices } : {}),
    ...(mounts.length > 0 ? { mounts } : {}),
    ...(written.network ? { network: 'host' } : {}),
    ...(caps.length > 0 ? { caps } : {}),
  };
}

/** Says that grants are needed, or that a process cannot have them. */
export function checkGrants(service: ServiceName, run: RunSpec, path: Path, findings: Findings): void {
  const missing = missingGrant(service, run, []);
  if (!missing) return;
  const at = [...path, run.host ? 'host' : 'privileged'];
  if (run.virtualization === 'process') {
    findings.error(
      'DESCRIPTOR_INVALID',
      at,
      'a process runs on the host already: it takes no host access',
      'remove it',
    );
    return;
  }
  const message = `${missing.what}: only nodes whose policy.yaml grants it take this service`;
  findings.warning('GRANT_NEEDED', at, message, `grants: ${missing.line}`);
}

function toDevices(written: readonly string[], path: Path, findings: Findings): readonly string[] {
  written.forEach((device, index) => {
    const fault = deviceFault(device);
    if (fault) findings.error('DESCRIPTOR_INVALID', [...path, index], fault, '/dev/ttyUSB0');
  });
  return sortedOnce(written);
}

function toMounts(written: NonNullable<Written['mounts']>, path: Path, findings: Findings): readonly HostMount[] {
  const mounts = written.map((mount, index) => toMount(mount, [...path, index], findings));
  const sorted = mounts.flatMap((mount) => mount ?? []).sort((a, b) => (a.target < b.target ? -1 : 1));
  const twice = sorted.find((mount, index) => sorted[index + 1]?.target === mount.target);
  if (twice) findings.error('DESCRIPTOR_INVALID', path, `two mounts have the target ${twice.target}`);
  return sorted;
}

function toMount(
  written: NonNullable<Written['mounts']>[number],
  path: Path,
  findings: Findings,
): HostMount | undefined {
  const { source, path: alias, read_only } = written;
  const from = source ?? alias;
  if (from === undefined || (source !== undefined && alias !== undefined)) {
    const message = 'a mount names one folder of the host';
    findings.error('DESCRIPTOR_INVALID', path, message, '{source: /srv/data, target: /data}');
    return undefined;
  }
  const target = written.target ?? from;
  const fault = hostPathFault(from);
  if (fault) findings.error('DESCRIPTOR_INVALID', [...path, source === undefined ? 'path' : 'source'], fault);
  const wrong = fault ? undefined : targetFault(target);
  if (wrong) findings.error('DESCRIPTOR_INVALID', [...path, 'target'], wrong);
  return { source: from, target, ...(read_only === undefined ? {} : { read_only }) };
}

function toCapabilities(written: readonly string[], path: Path, findings: Findings): readonly string[] {
  const usual: readonly string[] = usualCapabilities;
  const names = written.map(capabilityName);
  names.forEach((name, index) => {
    const fault = capabilityFault(name);
    if (fault) findings.error('DESCRIPTOR_INVALID', [...path, index], fault.message, fault.hint);
    else if (usual.includes(name)) findings.warning('FIELD_IGNORED', [...path, index], `every container has ${name}`);
  });
  return sortedOnce(names.filter((name) => !usual.includes(name)));
}

/** The mount that covers a path of the container, if there is one. */
export function mountOver(path: string, host: HostAccess): HostMount | undefined {
  return host.mounts?.find(({ target }) => isWithin(path, target));
}

function sortedOnce(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
