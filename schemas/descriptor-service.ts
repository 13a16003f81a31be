/** One microservice of a valid descriptor as a service spec: defaults filled in, what cannot be carried out said. */
import { toDependencies } from './descriptor-depends.ts';
import { checkDisconnect, toDisconnect } from './descriptor-disconnect.ts';
import { toFiles } from './descriptor-files.ts';
import { checkGrants, toHost } from './descriptor-host.ts';
import { type Application, type DescriptorOptions, descriptorDefaults } from './descriptor-parsed.ts';
import { toPlacement, toWhere } from './descriptor-placement.ts';
import { toSchedule } from './descriptor-schedule.ts';
import type { Microservice } from './descriptor-schema.ts';
import { checkSecrets, type SecretShelf, toSecrets } from './descriptor-secrets.ts';
import { checkVolumes, isPortable, toVolumes } from './descriptor-volumes.ts';
import { canonicalJson, digestOf } from './digest.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';
import { imageFault } from './image-name.ts';
import { serviceName } from './names.ts';
import { parsePorts } from './ports-syntax.ts';
import type { Healthcheck, Needs, PortMapping, RunSpec, ServiceSpec, UpdatePolicy, Virtualization } from './spec.ts';
import { hasClusterVariable, labelOfVariable, variablesOf } from './variables.ts';
import type { Path } from './yaml.ts';

/** Largest job, in bytes of its JSON: assignments have to carry it. */
export const maxJobBytes = 64 * 1024;

/** With the secrets of the document that it is in. */
export type ServiceOptions = DescriptorOptions & { readonly secrets: SecretShelf };

/** The spec of one service. What is wrong or left undone goes to `findings`; the answer counts only if nothing failed. */
export function toServiceSpec(
  application: Application,
  service: Microservice,
  path: Path,
  findings: Findings,
  options: ServiceOptions,
): ServiceSpec {
  const { namespace, replicas, priority } = descriptorDefaults;
  const run = toRunSpec(service, path, findings, options);
  const spec: ServiceSpec = {
    name: serviceName({
      app: application.application_name,
      appNamespace: application.application_namespace ?? namespace,
      service: service.microservice_name,
      serviceNamespace: service.microservice_namespace ?? namespace,
    }),
    run,
    digest: digestOf(run),
    replicas: service.replicas ?? replicas,
    needs: toNeeds(service),
    placement: {
      ...toPlacement(service.constraints ?? [], [...path, 'constraints'], findings),
      ...toWhere(service, application, path, findings),
      ...(isPortable(service.volumes) ? { portable: true } : {}),
    },
    update: toUpdate(service, run, path, findings),
    priority: service.priority ?? priority,
    ...toDependencies(application, service, path, findings),
    ...toSchedule(service, path, findings),
    ...toDisconnect(service, path, findings),
    ...(application.application_desc ? { description: application.application_desc } : {}),
  };
  checkGrants(spec.name, run, path, findings);
  checkVolumes(run, spec.update, path, findings);
  checkSecrets(run, path, findings);
  checkDisconnect(service, spec, path, findings);
  const bytes = new TextEncoder().encode(canonicalJson(run)).length;
  if (bytes > maxJobBytes) {
    findings.error(
      'DESCRIPTOR_INVALID',
      path,
      `the job is ${bytes} bytes long, at most ${maxJobBytes}`,
      'shorten files, cmd or environment',
    );
  }
  return spec;
}

function toRunSpec(service: Microservice, path: Path, findings: Findings, options: ServiceOptions): RunSpec {
  const virtualization = toVirtualization(service.virtualization ?? 'container', path, findings);
  const ports = toPorts(service, virtualization, path, findings);
  const { memory = 0, vcpus = 0, restart, one_shot } = service;
  checkCode(service.code, virtualization, path, findings);
  checkEnvironment(service.environment ?? [], path, findings);
  if (one_shot && restart === 'always') {
    findings.error(
      'DESCRIPTOR_INVALID',
      [...path, 'restart'],
      'a one_shot service is not restarted always',
      'restart: on_failure',
    );
  }
  const asked = options.limits === 'request' ? { memory, vcpus } : {};
  const limits = withoutZero({ ...asked, ...service.limits });
  const host = toHost(service.host, path, findings);
  const volumes = toVolumes(service.volumes ?? [], { host, virtualization }, [...path, 'volumes'], findings);
  const files = toFiles(service.files ?? [], host, options.files ?? {}, [...path, 'files'], findings);
  const secrets = toSecrets(service.secrets ?? [], options.secrets, [...path, 'secrets'], findings);
  return {
    virtualization,
    code: service.code,
    ...(service.cmd?.length ? { cmd: [...service.cmd] } : {}),
    ...(service.environment?.length ? { environment: [...service.environment] } : {}),
    ...(ports.length > 0 ? { ports } : {}),
    ...withoutZero({ memory, vcpus }),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(service.healthcheck ? { healthcheck: toHealthcheck(service.healthcheck, path, findings) } : {}),
    ...(restart ? { restart } : {}),
    ...(one_shot === undefined ? {} : { one_shot }),
    ...(service.stop_grace === undefined
      ? {}
      : { stop_grace: ms(service.stop_grace, 0, [...path, 'stop_grace'], findings) }),
    ...(service.vgpus ? { vgpus: service.vgpus } : {}),
    ...(files.length > 0 ? { files } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
    ...(Object.keys(host).length > 0 ? { host } : {}),
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(service.privileged ? { privileged: true } : {}),
  };
}

function toVirtualization(written: string, path: Path, findings: Findings): Virtualization {
  if (written === 'container' || written === 'docker' || written === '') return 'container';
  if (written === 'process') return 'process';
  const later = ['unikernel', 'crosvm', 'runc', 'runsc', 'wasm'].includes(written);
  findings.error(
    later ? 'FIELD_NOT_SERVED' : 'DESCRIPTOR_INVALID',
    [...path, 'virtualization'],
    later ? `virtualization ${written} is not served by this version` : `there is no virtualization \`${written}\``,
    'container or process',
  );
  return 'container';
}

function toPorts(
  { port: written = '', host }: Microservice,
  virtualization: Virtualization,
  path: Path,
  findings: Findings,
): readonly PortMapping[] {
  const at = [...path, 'port'];
  const { ports, faults } = parsePorts(written);
  for (const { message, hint } of faults) findings.error('DESCRIPTOR_INVALID', at, message, hint);
  const who = virtualization === 'process' ? 'a process' : "what is on the host's network";
  const own = virtualization === 'process' || host?.network === 'host';
  const mapped = own ? ports.find((port) => port.host !== port.container) : undefined;
  if (mapped) {
    const message = `${who} has no port mapping (${mapped.host}:${mapped.container}): it opens its ports itself`;
    findings.error('DESCRIPTOR_INVALID', at, message, `port: "${mapped.host}"`);
  }
  return ports;
}

function checkCode(code: string, virtualization: Virtualization, path: Path, findings: Findings): void {
  // What it is, only its cluster knows.
  if (hasClusterVariable(code)) return;
  const fault =
    virtualization === 'container'
      ? imageFault(code)
      : /\p{Cc}/u.test(code)
        ? 'a path has no control characters'
        : undefined;
  if (fault) findings.error('DESCRIPTOR_INVALID', [...path, 'code'], fault);
}

function checkEnvironment(environment: readonly string[], path: Path, findings: Findings): void {
  const seen = new Set<string>();
  environment.forEach((item, index) => {
    const key = item.slice(0, item.indexOf('='));
    if (seen.has(key)) findings.error('DESCRIPTOR_INVALID', [...path, 'environment', index], `\`${key}\` is set twice`);
    seen.add(key);
    for (const name of variablesOf({ environment: [item] })) {
      if (labelOfVariable(name) !== undefined) continue;
      const message = `there is no variable \`${name}\``;
      findings.error('DESCRIPTOR_INVALID', [...path, 'environment', index], message, `\${node.label.<key>}`);
    }
  });
}

function toHealthcheck(written: NonNullable<Microservice['healthcheck']>, path: Path, findings: Findings): Healthcheck {
  const { interval, timeout, retries, start_period } = descriptorDefaults.healthcheck;
  const at = (key: string) => [...path, 'healthcheck', key];
  const check: Healthcheck = {
    command: [...written.command],
    interval: ms(written.interval, interval, at('interval'), findings),
    timeout: ms(written.timeout, timeout, at('timeout'), findings),
    retries: written.retries ?? retries,
    start_period: ms(written.start_period, start_period, at('start_period'), findings),
  };
  for (const key of ['interval', 'timeout'] as const) {
    if (check[key] < 100)
      findings.error('DESCRIPTOR_INVALID', at(key), `${check[key]} ms is too short: at least 100ms`);
  }
  return check;
}

function toNeeds(service: Microservice): Needs {
  const { memory = 0, vcpus = 0, vgpus = 0, storage = 0, bandwidth_in = 0, bandwidth_out = 0 } = service;
  return { memory, vcpus, vgpus, storage, bandwidth_in, bandwidth_out };
}

function toUpdate(service: Microservice, run: RunSpec, path: Path, findings: Findings): UpdatePolicy {
  const isSingle = service.exclusive === true || (run.ports?.length ?? 0) + (run.volumes?.length ?? 0) > 0;
  const written = service.update ?? {};
  const usual = descriptorDefaults.update;
  const { order, strategy } = written;
  const meant = strategy === 'rolling' ? undefined : strategy;
  if (order && meant && order !== meant) {
    findings.error(
      'DESCRIPTOR_INVALID',
      [...path, 'update', 'strategy'],
      `strategy ${strategy} and order ${order} differ`,
    );
  }
  const at = (key: string) => [...path, 'update', key];
  if (written.canary && (order ?? meant) === 'recreate') {
    const message = 'recreate changes all instances at once: none of them goes first';
    findings.error('DESCRIPTOR_INVALID', at('canary'), message, 'another strategy, or no canary');
  }
  const update: UpdatePolicy = {
    order: order ?? meant ?? (isSingle ? 'stop_first' : 'start_first'),
    settle: ms(written.settle, usual.settle, at('settle'), findings),
    timeout: ms(written.timeout, usual.timeout, at('timeout'), findings),
    max_unavailable: written.max_unavailable ?? usual.max_unavailable,
    on_failure: written.on_failure ?? usual.on_failure,
    notice: ms(written.notice, usual.notice, at('notice'), findings),
    ...(written.canary
      ? { canary: { pool: written.canary.pool, wait: ms(written.canary.wait, usual.wait, at('canary'), findings) } }
      : {}),
  };
  if (update.timeout <= update.settle) {
    const message = `an update never settles: timeout ${formatDuration(update.timeout)}, settle ${formatDuration(update.settle)}`;
    findings.error('DESCRIPTOR_INVALID', at('timeout'), message, 'a timeout longer than settle');
  }
  return update;
}

function ms(written: number | string | undefined, usual: number, path: Path, findings: Findings): number {
  if (written === undefined) return usual;
  const parsed = parseDuration(written);
  if (parsed === undefined) findings.error('DESCRIPTOR_INVALID', path, `\`${written}\` is longer than a year`);
  return parsed ?? usual;
}

function withoutZero<T extends Record<string, number | undefined>>(amounts: T): { [Key in keyof T]?: number } {
  return Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount)) as { [Key in keyof T]?: number };
}
