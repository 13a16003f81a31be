/** Volumes of a microservice, checked: names and paths are each there once, and nothing else is mounted over them. */
import { mountOver } from './descriptor-host.ts';
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { isWithin, targetFault } from './host-access.ts';
import type { HostAccess, RunSpec, RunVolume, UpdatePolicy, Virtualization } from './spec.ts';
import type { Path } from './yaml.ts';

type Written = NonNullable<Microservice['volumes']>;

/** The `volumes` of a run spec, sorted by name, so that their order restarts nothing. */
export function toVolumes(
  written: Written,
  beside: { readonly host: HostAccess; readonly virtualization: Virtualization },
  path: Path,
  findings: Findings,
): readonly RunVolume[] {
  if (written.length > 0 && beside.virtualization === 'process') {
    const message = 'a process writes to the host itself: only containers have volumes';
    findings.error('DESCRIPTOR_INVALID', path, message, 'remove it');
  }
  written.forEach(({ name, mount_path }, index) => {
    const at = [...path, index];
    const earlier = written.slice(0, index);
    const fault = targetFault(mount_path);
    if (fault) findings.error('DESCRIPTOR_INVALID', [...at, 'mount_path'], fault);
    if (earlier.some((one) => one.name === name)) {
      findings.error('DESCRIPTOR_INVALID', [...at, 'name'], `two volumes are named ${name}`);
    }
    const near = earlier.find((one) => isWithin(one.mount_path, mount_path) || isWithin(mount_path, one.mount_path));
    const over = near?.mount_path ?? mountOver(mount_path, beside.host)?.target;
    if (over !== undefined) {
      findings.error('DESCRIPTOR_INVALID', [...at, 'mount_path'], `${mount_path} is mounted already, by ${over}`);
    }
  });
  return written
    .map(({ name, mount_path, read_only }) => ({ name, mount_path, ...(read_only ? { read_only } : {}) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** May the service start with empty volumes on another node? Only if that was said of each of them. */
export function isPortable(written: Written = []): boolean {
  return written.length > 0 && written.every(({ portable }) => portable === true);
}

/** What cannot go together with volumes: two copies of an instance at once, and files below a volume. */
export function checkVolumes(
  { volumes = [], files = [] }: Pick<RunSpec, 'volumes' | 'files'>,
  { order }: Pick<UpdatePolicy, 'order'>,
  path: Path,
  findings: Findings,
): void {
  if (volumes.length > 0 && order === 'start_first') {
    const message = 'old and new copy would write to one volume at once';
    findings.error('DESCRIPTOR_INVALID', [...path, 'update'], message, 'order: stop_first');
  }
  for (const { path: file } of files) {
    const below = volumes.find(({ mount_path }) => isWithin(file, mount_path));
    if (below) findings.error('DESCRIPTOR_INVALID', [...path, 'files'], `${file} is below the volume ${below.name}`);
  }
}
