/** One service of a compose file as a microservice of a descriptor. Pure. */
import type { Findings } from '../../schemas/findings.ts';
import type { Path } from '../../schemas/yaml.ts';
import { type ComposeFile, type Fields, isFields, listOf, pairsOf } from './compose-file.ts';
import { deployOf } from './deploy.ts';
import { lostOfService } from './losses.ts';
import { nameOf, spelled } from './names.ts';
import { portsOf } from './ports.ts';
import { filesOf, storageOf } from './storage.ts';
import { megabytesOf, timeOf } from './times.ts';
import { parseEnvironment } from './variables.ts';
import { splitWords } from './words.ts';

const restarts: Readonly<Record<string, string>> = {
  no: 'never',
  false: 'never',
  always: 'always',
  'unless-stopped': 'always',
};
const taken = new Set([
  ...[
    'cap_add',
    'cap_drop',
    'command',
    'configs',
    'cpus',
    'depends_on',
    'deploy',
    'devices',
    'env_file',
    'environment',
  ],
  ...[
    'gpus',
    'healthcheck',
    'image',
    'mem_limit',
    'mem_reservation',
    'network_mode',
    'platform',
    'ports',
    'privileged',
  ],
  ...['restart', 'scale', 'stop_grace_period', 'volumes'],
]);

/** What lies beside the compose file. */
export interface Beside {
  /** Texts of the `env_file`s, by the path that is written. */
  readonly environment: Readonly<Record<string, string>>;
  /** Sources of mounts, as written, that are text files. */
  readonly texts: ReadonlySet<string>;
}

/** The microservice. What has no counterpart, and what is wrong, goes to the findings of the file. */
export function microserviceOf(name: string, service: Fields, compose: ComposeFile, beside: Beside): Fields {
  const { root, findings } = compose;
  const path: Path = ['services', name];
  sayLost(service, path, findings);
  const { image, platform, scale, privileged, stop_grace_period: grace } = service;
  if (typeof image !== 'string') {
    findings.error(
      'COMPOSE_INVALID',
      path,
      'the service has no image',
      'build it, push it, and write `image: <registry>/<name>:<tag>`',
    );
  }
  const command = commandOf(service['command'], [...path, 'command'], findings);
  const environment = environmentOf(service, path, findings, beside.environment);
  const ports = portsOf(service['ports'], [...path, 'ports'], findings);
  const { volumes, mounts, files } = storageOf(service['volumes'], compose, beside.texts, [...path, 'volumes']);
  const configs = filesOf(service['configs'], root, [...path, 'configs'], findings);
  const host = hostOf(service, mounts, path, findings);
  const stop = grace === undefined ? undefined : timeOf(grace);
  const arch = typeof platform === 'string' ? platform.split('/')[1] : undefined;
  return {
    microservice_name: nameOf(name, path, findings),
    code: String(image ?? ''),
    ...(command === undefined ? {} : { cmd: command }),
    ...(environment.length > 0 ? { environment } : {}),
    ...(ports.length > 0 ? { port: ports.join(';') } : {}),
    ...roomOf(service),
    ...withoutOverlap(
      volumes,
      isFields(service['deploy']) ? deployOf(service['deploy'], [...path, 'deploy'], findings) : {},
    ),
    ...(scale === undefined ? {} : { replicas: Number(scale) }),
    ...restartOf(service['restart']),
    ...healthOf(service['healthcheck'], [...path, 'healthcheck'], findings),
    ...(stop === undefined ? {} : { stop_grace: stop }),
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(files.length + configs.length > 0 ? { files: [...files, ...configs] } : {}),
    ...(Object.keys(host).length > 0 ? { host } : {}),
    ...(privileged === true ? { privileged: true } : {}),
    ...(arch === undefined ? {} : { arch: [arch] }),
    ...dependenciesOf(service['depends_on'], [...path, 'depends_on'], findings),
  };
}

/** Old and new copy cannot have one volume at once. */
function withoutOverlap(volumes: readonly object[], fields: Fields): Fields {
  const { update, ...rest } = fields;
  if (volumes.length === 0 || !isFields(update)) return fields;
  const { order: _atOnce, ...others } = update;
  return Object.keys(others).length > 0 ? { ...rest, update: others } : rest;
}

function sayLost(service: Fields, path: Path, findings: Findings): void {
  for (const key of Object.keys(service)) {
    if (taken.has(key) || key.startsWith('x-')) continue;
    const why = lostOfService[key] ?? 'it has no counterpart';
    if (why !== '') findings.warning('COMPOSE_LOST', [...path, key], `${key}: ${why}`);
  }
  if (service['privileged'] === true) {
    const message = 'privileged is less here: /dev/fuse and the right to mount';
    findings.warning('COMPOSE_LOST', [...path, 'privileged'], message, 'name what it needs: `host: {devices, caps}`');
  }
  if (service['cap_drop'] !== undefined) {
    findings.warning('COMPOSE_LOST', [...path, 'cap_drop'], 'cap_drop: every container has the same few capabilities');
  }
  if (service['gpus'] !== undefined)
    findings.warning('COMPOSE_LOST', [...path, 'gpus'], 'gpus: say how many, as `vgpus`');
}

/** A text goes through no shell, as in compose. */
function commandOf(command: unknown, path: Path, findings: Findings): readonly string[] | undefined {
  if (command === undefined || command === null) return undefined;
  if (typeof command !== 'string') return listOf(command).map(String);
  const words = splitWords(command);
  if (words === undefined) findings.error('COMPOSE_INVALID', path, 'a quote in the command is not closed');
  return words;
}

/** What `environment` says wins over what the files say. */
function environmentOf(
  service: Fields,
  path: Path,
  findings: Findings,
  files: Readonly<Record<string, string>>,
): readonly string[] {
  const all = new Map<string, string>();
  listOf(service['env_file']).forEach((one, index) => {
    const { path: file, required } = isFields(one) ? one : { path: one, required: true };
    const text = files[String(file)];
    if (text === undefined && required !== false) {
      findings.error('COMPOSE_INVALID', [...path, 'env_file', index], `${String(file)} cannot be read`);
    }
    for (const [key, value] of Object.entries(parseEnvironment(text ?? ''))) all.set(key, value);
  });
  for (const [key, value] of pairsOf(service['environment'])) {
    if (value !== undefined) all.set(key, value);
    else
      findings.warning(
        'COMPOSE_LOST',
        [...path, 'environment'],
        `${key} comes from the shell of whoever runs compose: it is left out`,
      );
  }
  const telling = [...all]
    .filter(([key, value]) => value !== '' && /pass|secret|token|key$/i.test(key))
    .map(([key]) => key);
  if (telling.length > 0) {
    const message = `${telling.join(', ')}: a secret in a descriptor stands in git in the clear`;
    findings.warning('COMPOSE_LOST', [...path, 'environment'], message, 'take it out before you commit');
  }
  return [...all].map(([key, value]) => `${key}=${value}`);
}

function roomOf({ mem_limit: cap, mem_reservation: memory, cpus }: Fields): Fields {
  const limits = {
    ...(cap === undefined ? {} : { memory: megabytesOf(cap) }),
    ...(cpus === undefined ? {} : { vcpus: Number(cpus) }),
  };
  return {
    ...(memory === undefined ? {} : { memory: megabytesOf(memory) }),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
  };
}

function restartOf(restart: unknown): Fields {
  if (restart === undefined) return {};
  const text = String(restart);
  return { restart: text.startsWith('on-failure') ? 'on_failure' : (restarts[text] ?? 'always') };
}

function healthOf(check: unknown, path: Path, findings: Findings): Fields {
  if (!isFields(check) || check['disable'] === true) return {};
  const { test, interval, timeout, retries, start_period: start } = check;
  const words = listOf(test).map(String);
  const [kind] = words;
  const shell = typeof test === 'string' ? test : kind === 'CMD-SHELL' ? words[1] : undefined;
  if (kind === 'NONE') return {};
  if (kind !== 'CMD' && shell === undefined) {
    const message = 'the check of the image itself is not asked: without a command, an instance that runs is healthy';
    findings.warning('COMPOSE_LOST', path, message, 'write `test`');
    return {};
  }
  const times = { interval, timeout, start_period: start };
  const written = Object.entries(times).flatMap(([key, value]) => {
    const time = value === undefined ? undefined : timeOf(value);
    return time === undefined ? [] : [[key, time] as const];
  });
  const command = shell === undefined ? words.slice(1) : ['/bin/sh', '-c', shell];
  return {
    healthcheck: {
      command,
      ...Object.fromEntries(written),
      ...(retries === undefined ? {} : { retries: Number(retries) }),
    },
  };
}

function hostOf(service: Fields, mounts: readonly object[], path: Path, findings: Findings): Fields {
  const { network_mode: network, cap_add: caps } = service;
  if (network !== undefined && network !== 'host' && network !== 'bridge') {
    findings.warning(
      'COMPOSE_LOST',
      [...path, 'network_mode'],
      `network_mode ${String(network)}: only \`host\` is served`,
    );
  }
  const devices = listOf(service['devices']).flatMap((one, index) => {
    const [source = '', target = source] = isFields(one)
      ? [String(one['source']), String(one['target'])]
      : String(one).split(':');
    if (source === target) return [source];
    findings.warning('COMPOSE_LOST', [...path, 'devices', index], `${source} keeps its name: it cannot be ${target}`);
    return [source];
  });
  const names = listOf(caps).map((one) => String(one).replace(/^CAP_/, ''));
  return {
    ...(devices.length > 0 ? { devices } : {}),
    ...(mounts.length > 0 ? { mounts } : {}),
    ...(network === 'host' ? { network } : {}),
    ...(names.length > 0 ? { caps: names } : {}),
  };
}

function dependenciesOf(written: unknown, path: Path, findings: Findings): Fields {
  const wanted = isFields(written) ? Object.entries(written) : listOf(written).map((one) => [String(one), {}] as const);
  const names = wanted.map(([name, how]) => {
    const condition = isFields(how) ? how['condition'] : undefined;
    if (condition === undefined || condition === 'service_started') {
      findings.warning(
        'COMPOSE_LOST',
        [...path, name],
        `it waits until ${name} is healthy, not only until it was started`,
      );
    }
    return spelled(name) ?? name;
  });
  return names.length > 0 ? { depends_on: names } : {};
}
