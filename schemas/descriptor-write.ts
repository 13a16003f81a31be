/** Services as a descriptor again: what `validate -o yaml` prints. */
import { fromDisconnect } from './descriptor-disconnect.ts';
import { fromPlacement } from './descriptor-placement.ts';
import { formatDuration } from './duration.ts';
import { parseServiceName } from './names.ts';
import { formatPorts } from './ports-syntax.ts';
import type { Healthcheck, RunFile, RunSecret, Schedule, ServiceSpec, UpdatePolicy } from './spec.ts';

interface Written {
  readonly head: Record<string, unknown>;
  readonly microservices: unknown[];
}

/**
 * One descriptor with the defaults of placement, update and names written out. What decides the digest stays as it was
 * written, so that reading the answer gives the same specs, and deploying it restarts nothing.
 */
export function toDescriptor(services: readonly { readonly spec: ServiceSpec }[]): Readonly<Record<string, unknown>> {
  const applications = new Map<string, Written>();
  for (const { spec } of services) {
    const parts = parseServiceName(spec.name);
    if (!parts) continue;
    const key = JSON.stringify([parts.app, parts.appNamespace, spec.description ?? '']);
    const head = {
      application_name: parts.app,
      application_namespace: parts.appNamespace,
      ...(spec.description ? { application_desc: spec.description } : {}),
    };
    const application: Written = applications.get(key) ?? { head, microservices: [] };
    application.microservices.push(toMicroservice(spec, parts.service, parts.serviceNamespace));
    applications.set(key, application);
  }
  const list = [...applications.values()].map(({ head, microservices }) => ({ ...head, microservices }));
  return { sla_version: 'v2.0', customerID: 'Admin', applications: list };
}

function toMicroservice(spec: ServiceSpec, name: string, namespace: string): Record<string, unknown> {
  const { run, needs, update } = spec;
  const { vgpus, storage, bandwidth_in, bandwidth_out } = needs;
  const constraints = fromPlacement(spec.placement);
  const portable = spec.placement.portable ? { portable: true } : {};
  return {
    microservice_name: name,
    microservice_namespace: namespace,
    virtualization: run.virtualization,
    code: run.code,
    ...(run.cmd ? { cmd: [...run.cmd] } : {}),
    ...(run.environment ? { environment: [...run.environment] } : {}),
    ...(run.ports ? { port: formatPorts(run.ports) } : {}),
    memory: needs.memory,
    vcpus: needs.vcpus,
    ...positive({ vgpus, storage, bandwidth_in, bandwidth_out }),
    ...(run.limits ? { limits: { ...run.limits } } : {}),
    ...(run.healthcheck ? { healthcheck: writeHealthcheck(run.healthcheck) } : {}),
    ...(run.one_shot === undefined ? {} : { one_shot: run.one_shot }),
    ...(run.restart ? { restart: run.restart } : {}),
    ...(run.stop_grace === undefined ? {} : { stop_grace: formatDuration(run.stop_grace) }),
    ...(run.files ? { files: run.files.map(writeFile) } : {}),
    ...(run.secrets ? { secrets: run.secrets.map(writeSecret) } : {}),
    ...(run.host ? { host: { ...run.host } } : {}),
    ...(run.volumes ? { volumes: run.volumes.map((one) => ({ ...one, ...portable })) } : {}),
    ...(run.privileged ? { privileged: true } : {}),
    replicas: spec.replicas,
    priority: spec.priority,
    update: writeUpdate(update),
    ...fromDisconnect(spec),
    ...(spec.depends_on ? { depends_on: [...spec.depends_on] } : {}),
    ...(spec.schedule ? { schedule: writeSchedule(spec.schedule) } : {}),
    ...(constraints.length > 0 ? { constraints: [...constraints] } : {}),
    ...(spec.placement.arch ? { arch: [...spec.placement.arch] } : {}),
    ...(spec.placement.spread ? { spread: spec.placement.spread.map((rule) => ({ ...rule })) } : {}),
  };
}

function writeFile({ path, content, mode }: RunFile): Record<string, unknown> {
  return { path, content, mode: mode.toString(8).padStart(4, '0') };
}

function writeSecret({ version: _ofTheFile, mode, ...rest }: RunSecret): Record<string, unknown> {
  return { ...rest, mode: mode.toString(8).padStart(4, '0') };
}

function writeHealthcheck(check: Healthcheck): Record<string, unknown> {
  return {
    command: [...check.command],
    interval: formatDuration(check.interval),
    timeout: formatDuration(check.timeout),
    retries: check.retries,
    start_period: formatDuration(check.start_period),
  };
}

function writeSchedule({ starting_deadline, ...rest }: Schedule): Record<string, unknown> {
  return {
    ...rest,
    ...(starting_deadline === undefined ? {} : { starting_deadline: formatDuration(starting_deadline) }),
  };
}

function writeUpdate(update: UpdatePolicy): Record<string, unknown> {
  const { order, canary, notice, ...rest } = update;
  return {
    ...(order === 'recreate' ? { strategy: order } : { order }),
    ...rest,
    settle: formatDuration(update.settle),
    timeout: formatDuration(update.timeout),
    ...(notice === undefined ? {} : { notice: formatDuration(notice) }),
    ...(canary ? { canary: { pool: canary.pool, wait: formatDuration(canary.wait) } } : {}),
  };
}

function positive(amounts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount > 0));
}
