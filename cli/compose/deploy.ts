/** The part `deploy` of a service of a compose file: how many, where, how it is updated. Pure. */
import type { Findings } from '../../schemas/findings.ts';
import type { Path } from '../../schemas/yaml.ts';
import { type Fields, isFields, listOf } from './compose-file.ts';
import { lostOfDeploy } from './losses.ts';
import { megabytesOf, timeOf } from './times.ts';

const known = new Set(['mode', 'replicas', 'resources', 'update_config', 'restart_policy', 'placement']);

/** Fields of a microservice; what is lost goes to the findings. */
export function deployOf(deploy: Fields, path: Path, findings: Findings): Fields {
  for (const key of Object.keys(deploy)) {
    if (known.has(key)) continue;
    findings.warning('COMPOSE_LOST', [...path, key], `deploy.${key}: ${lostOfDeploy[key] ?? 'it has no counterpart'}`);
  }
  const { mode, replicas, resources, update_config: update, restart_policy: restart, placement } = deploy;
  const isJob = mode === 'replicated-job' || mode === 'global-job';
  return {
    ...(mode === 'global' || mode === 'global-job' ? { replicas: 'every' } : {}),
    ...(replicas === undefined ? {} : { replicas: Number(replicas) }),
    ...(isJob ? { one_shot: true } : {}),
    ...(isFields(resources) ? resourcesOf(resources, [...path, 'resources'], findings) : {}),
    ...(isFields(restart) ? restartOf(restart, [...path, 'restart_policy'], findings) : {}),
    ...(isFields(update) ? updateOf(update, [...path, 'update_config'], findings) : {}),
    ...(isFields(placement) ? placementOf(placement, [...path, 'placement'], findings) : {}),
  };
}

function resourcesOf(resources: Fields, path: Path, findings: Findings): Fields {
  const { limits, reservations } = resources;
  const amounts = (from: unknown, at: Path): Fields => {
    if (!isFields(from)) return {};
    const { cpus, memory, pids } = from;
    if (pids !== undefined)
      findings.warning('COMPOSE_LOST', [...at, 'pids'], 'pids: the number of processes is not capped');
    return {
      ...(memory === undefined ? {} : { memory: megabytesOf(memory) }),
      ...(cpus === undefined ? {} : { vcpus: Number(cpus) }),
    };
  };
  const caps = amounts(limits, [...path, 'limits']);
  const devices = isFields(reservations) ? listOf(reservations['devices']) : [];
  const gpus = devices.flatMap((one, index) => {
    const { capabilities, count = 1 } = isFields(one) ? one : {};
    if (listOf(capabilities).includes('gpu') && count !== 'all') return [Number(count)];
    findings.warning(
      'COMPOSE_LOST',
      [...path, 'reservations', 'devices', index],
      'only a number of GPUs can be reserved',
    );
    return [];
  });
  return {
    ...amounts(reservations, [...path, 'reservations']),
    ...(Object.keys(caps).length > 0 ? { limits: caps } : {}),
    ...(gpus.length > 0 ? { vgpus: gpus.reduce((sum, one) => sum + one, 0) } : {}),
  };
}

const restarts: Readonly<Record<string, string>> = { none: 'never', 'on-failure': 'on_failure', any: 'always' };

function restartOf({ condition = 'any', ...rest }: Fields, path: Path, findings: Findings): Fields {
  for (const key of Object.keys(rest)) {
    findings.warning('COMPOSE_LOST', [...path, key], `${key}: the pause between restarts grows from 10 s to 5 min`);
  }
  const restart = restarts[String(condition)];
  return restart === undefined ? {} : { restart };
}

const failures: Readonly<Record<string, string>> = { continue: 'continue', rollback: 'rollback', pause: 'pause' };

function updateOf(update: Fields, path: Path, findings: Findings): Fields {
  const { parallelism, order, failure_action: failure, monitor, ...rest } = update;
  for (const key of Object.keys(rest))
    findings.warning('COMPOSE_LOST', [...path, key], `update_config.${key} has no counterpart`);
  const settle = monitor === undefined ? undefined : timeOf(monitor);
  const written = {
    ...(order === undefined ? {} : { order: String(order).replace('-', '_') }),
    // 0 is all at once.
    ...(parallelism === undefined ? {} : { max_unavailable: Number(parallelism) || 100_000 }),
    ...(failure === undefined ? {} : { on_failure: failures[String(failure)] ?? 'rollback' }),
    ...(settle === undefined ? {} : { settle }),
  };
  return Object.keys(written).length > 0 ? { update: written } : {};
}

function placementOf({ constraints, preferences, ...rest }: Fields, path: Path, findings: Findings): Fields {
  for (const key of Object.keys(rest))
    findings.warning('COMPOSE_LOST', [...path, key], `placement.${key} has no counterpart`);
  const rules = listOf(constraints).flatMap((one, index): Fields[] => {
    const [, what = '', how, value = ''] = /^\s*([\w./-]+)\s*(==|!=)\s*(.*?)\s*$/.exec(String(one)) ?? [];
    const label = /^node\.labels\.(.+)$/.exec(what)?.[1];
    if (label !== undefined) return [{ type: 'label', label, [how === '==' ? 'in' : 'not_in']: [value] }];
    if (what === 'node.hostname' && how === '==') return [{ type: 'direct', node: value }];
    const message = `\`${String(one)}\`: nodes are chosen by label or by name`;
    findings.warning('COMPOSE_LOST', [...path, 'constraints', index], message, 'label the nodes in nodes.yaml');
    return [];
  });
  const spread = listOf(preferences).flatMap((one) => {
    const label = isFields(one) ? /^node\.labels\.(.+)$/.exec(String(one['spread']))?.[1] : undefined;
    return label === undefined ? [] : [{ label }];
  });
  return { ...(rules.length > 0 ? { constraints: rules } : {}), ...(spread.length > 0 ? { spread } : {}) };
}
