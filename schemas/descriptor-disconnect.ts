/** Nodes that are out of reach, and services of which only one copy may run: what a descriptor says, checked. */
import type { Microservice } from './descriptor-schema.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';
import type { Disconnect, ServiceSpec } from './spec.ts';
import type { Path } from './yaml.ts';

/** Lease of an exclusive service that says none, ms. */
const usualLease = 30_000;
/** Shorter ones would end between two beats of a busy machine. */
const leastLease = 2_000;
const leastTime = 1_000;

type Away = Pick<ServiceSpec, 'disconnect' | 'exclusive'>;

/** The members `disconnect` and `exclusive` of a spec; none for a service that says nothing. */
export function toDisconnect(service: Microservice, path: Path, findings: Findings): Away {
  const { exclusive, on_disconnect: written = {}, on_return } = service;
  const at = (key: string): Path => [...path, 'on_disconnect', key];
  const stop = timeOf(written.stop_after, exclusive ? leastLease : leastTime, at('stop_after'), findings);
  const replace = timeOf(written.replace_after, leastTime, at('replace_after'), findings);
  const disconnect: Disconnect = {
    ...(typeof stop === 'number' ? { stop_after: stop } : {}),
    ...(replace === undefined ? {} : { replace_after: replace }),
    ...(on_return === undefined || on_return === 'replacement' ? {} : { on_return }),
  };
  return {
    ...(Object.keys(disconnect).length > 0 ? { disconnect } : {}),
    ...(exclusive ? { exclusive: { lease: disconnect.stop_after ?? usualLease } } : {}),
  };
}

function timeOf(
  written: number | string | undefined,
  least: number,
  path: Path,
  findings: Findings,
): number | 'never' | undefined {
  if (written === undefined || written === 'never') return written;
  const ms = parseDuration(written);
  if (ms === undefined) findings.error('DESCRIPTOR_INVALID', path, `\`${written}\` is longer than a year`);
  else if (ms < least) {
    const message = `${formatDuration(ms)} is too short: at least ${formatDuration(least)}`;
    findings.error('DESCRIPTOR_INVALID', path, message, formatDuration(least));
  }
  return ms ?? least;
}

/** What cannot go together. */
export function checkDisconnect(service: Microservice, spec: ServiceSpec, path: Path, findings: Findings): void {
  const at = (...keys: string[]): Path => [...path, ...keys];
  const fail = (where: Path, message: string, hint: string): void =>
    findings.error('DESCRIPTOR_INVALID', where, message, hint);
  const { replace_after: replace } = spec.disconnect ?? {};
  const isReplaced = replace !== undefined && replace !== 'never';
  if (spec.exclusive) checkExclusive(service, spec, path, findings);
  if (isReplaced && spec.run.volumes && !spec.placement.portable) {
    const message = 'its data is on its node: it is not replaced unless all its volumes are portable';
    fail(at('on_disconnect', 'replace_after'), message, 'portable: true on each volume, or remove replace_after');
  }
  if (isReplaced && spec.replicas === 'every') {
    const message = 'an instance of `replicas: every` belongs to its node, and is never replaced';
    fail(at('on_disconnect', 'replace_after'), message, 'remove replace_after');
  }
  if (spec.disconnect?.on_return === undefined || spec.exclusive) return;
  const why = spec.replicas === 'every' ? 'replicas: every' : replace === 'never' ? 'replace_after: never' : undefined;
  if (why) fail(at('on_return'), `with \`${why}\` there is no second copy to choose from`, 'remove on_return');
}

function checkExclusive(service: Microservice, spec: ServiceSpec, path: Path, findings: Findings): void {
  const fail = (keys: readonly string[], message: string, hint: string): void =>
    findings.error('DESCRIPTOR_INVALID', [...path, ...keys], message, hint);
  const { lease } = spec.exclusive ?? { lease: usualLease };
  const { replace_after: replace } = spec.disconnect ?? {};
  if (spec.replicas !== 1 && spec.replicas !== 0) {
    fail(['replicas'], `of an exclusive service one copy runs, not ${spec.replicas}`, 'replicas: 1');
  }
  if (spec.update.order === 'start_first') {
    fail(['update'], 'old and new copy of an exclusive service cannot run side by side', 'order: stop_first');
  }
  if (service.on_disconnect?.stop_after === 'never') {
    const message = 'an exclusive copy has to stop when its lease ends: stop_after is the lease';
    fail(['on_disconnect', 'stop_after'], message, `stop_after: ${formatDuration(usualLease)}`);
  }
  if (typeof replace === 'number' && replace < lease) {
    const times = `replace_after ${formatDuration(replace)}, stop_after ${formatDuration(lease)}`;
    const message = `its replacement would start while the old copy may run (${times})`;
    fail(['on_disconnect', 'replace_after'], message, `replace_after: ${formatDuration(lease)} or more`);
  }
  if (service.on_return !== undefined) {
    const message = 'of an exclusive service the copy that has the lease stays';
    fail(['on_return'], message, 'remove on_return');
  }
}

/** The keys of a descriptor that say the same. */
export function fromDisconnect({ disconnect = {}, exclusive }: Away): Record<string, unknown> {
  const { stop_after, replace_after, on_return } = disconnect;
  const written = {
    ...(stop_after === undefined ? {} : { stop_after: formatDuration(stop_after) }),
    ...(replace_after === undefined
      ? {}
      : { replace_after: replace_after === 'never' ? replace_after : formatDuration(replace_after) }),
  };
  return {
    ...(exclusive ? { exclusive: true } : {}),
    ...(Object.keys(written).length > 0 ? { on_disconnect: written } : {}),
    ...(on_return === undefined ? {} : { on_return }),
  };
}
