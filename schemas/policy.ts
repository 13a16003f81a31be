/**
 * policy.yaml: what the owner of a node lets services do on it. It lies beside agent.yaml on the node and is never read from a
 * repository: whoever may push does not decide what a push may do to a host.
 */
import { createFindings, type Findings } from './findings.ts';
import type { Grant } from './grants.ts';
import { capabilityFault, capabilityName, deviceFault, hostPathFault } from './host-access.ts';
import { registryFault, registryName } from './image-name.ts';
import { type ImageRules, imageRule, imageRuleFault, noImages } from './image-rules.ts';
import { appNamePattern } from './names.ts';
import { violations } from './parse.ts';
import { PolicyFile } from './policy-schema.ts';
import { type Problem, problem } from './problem.ts';
import { type Path, parseYaml } from './yaml.ts';

export interface NodePolicy {
  readonly grants: readonly Grant[];
  /** Absent: containers are made of any image. */
  readonly accepts?: ImageRules;
  /** What becomes of what people do to copies on the node by hand; default `heal`. */
  readonly drift?: 'heal' | 'keep';
}

/** Nothing is granted, and any image is taken. */
export const emptyPolicy: NodePolicy = { grants: [] };

/** Of a file that cannot be read or trusted: nothing is granted, and no new image is taken, since it may say so. */
export const closedPolicy: NodePolicy = { grants: [], accepts: noImages };

/** Parses policy.yaml. `policy` is there unless there is an error; an empty file grants nothing. Never throws. */
export function parsePolicy(
  text: string,
  file: string,
): { readonly policy?: NodePolicy; readonly problems: readonly Problem[] } {
  const { documents, problems } = parseYaml(text, file);
  const [document, second] = documents;
  if (problems.length > 0) return { problems };
  if (!document) return { policy: emptyPolicy, problems: [] };
  if (second) {
    const message = 'a policy is one document, and here are more';
    return { problems: [problem('POLICY_INVALID', message, { file, ...second.locate([]) })] };
  }
  const findings = createFindings(file, document);
  findings.violations('POLICY_INVALID', violations(PolicyFile, document.value));
  if (findings.failed()) return { problems: findings.problems };
  const { grants: written = [], drift, ...images } = document.value as PolicyFile;
  const grants = written.map((grant, index) => toGrant(grant, ['grants', index], findings));
  const accepts = toImageRules(images, findings);
  if (findings.failed()) return { problems: findings.problems };
  return { policy: { grants, ...(accepts && { accepts }), ...(drift && { drift }) }, problems: findings.problems };
}

/**
 * What is left of a policy for an agent that does not see the paths of its host, because it runs in a container: where a path leads
 * cannot be looked up there, and what cannot be looked up is not granted.
 */
export function withoutPaths(
  { grants, ...rest }: NodePolicy,
  file: string,
): { readonly policy: NodePolicy; readonly problems: readonly Problem[] } {
  const kept = grants.map(({ devices: _, mounts: __, privileged: ___, ...grant }) => grant);
  const loses = grants.some(({ devices, mounts, privileged }) => devices?.length || mounts?.length || privileged);
  const message = 'this agent runs in a container and sees no folders of the host: mounts and devices are not granted';
  const problems = loses ? [problem('POLICY_INVALID', message, { file, severity: 'warning' })] : [];
  return { policy: { ...rest, grants: kept }, problems };
}

type Written = NonNullable<PolicyFile['grants']>[number];

function toGrant(written: Written, path: Path, findings: Findings): Grant {
  const { privileged, devices = [], mounts = [], network, caps = [] } = written;
  const check = (fault: string | undefined, at: Path, hint?: string): void => {
    if (fault) findings.error('POLICY_INVALID', [...path, ...at], fault, hint);
  };
  devices.forEach((device, index) => {
    check(deviceFault(device), ['devices', index]);
  });
  mounts.forEach((mount, index) => {
    check(hostPathFault(mount.path), ['mounts', index, 'path']);
  });
  const names = caps.map(capabilityName);
  names.forEach((name, index) => {
    const fault = capabilityFault(name);
    check(fault?.message, ['caps', index], fault?.hint);
  });
  return {
    app: written.app === '*' ? '*' : fullName(written.app, [...path, 'app'], findings),
    ...(written.service === undefined ? {} : { service: fullName(written.service, [...path, 'service'], findings) }),
    ...(privileged ? { privileged } : {}),
    ...(devices.length > 0 ? { devices: [...devices] } : {}),
    ...(mounts.length > 0 ? { mounts: mounts.map((mount) => ({ ...mount })) } : {}),
    ...(network ? { network: 'host' as const } : {}),
    ...(names.length > 0 ? { caps: names } : {}),
  };
}

function toImageRules(
  { registries, images }: Pick<PolicyFile, 'registries' | 'images'>,
  findings: Findings,
): ImageRules | undefined {
  registries?.forEach((host, index) => {
    const fault = registryFault(host);
    if (fault) findings.error('POLICY_INVALID', ['registries', index], fault, 'e.g. registry.example.org:5000');
  });
  images?.forEach((rule, index) => {
    const fault = imageRuleFault(rule);
    if (fault) findings.error('POLICY_INVALID', ['images', index], fault, 'e.g. nginx, or ghcr.io/acme/*');
  });
  if (findings.failed() || (!registries && !images)) return undefined;
  return {
    ...(registries && { registries: registries.map(registryName) }),
    ...(images && { images: images.map(imageRule) }),
  };
}

/** `name.namespace` of a name with or without its namespace. */
function fullName(written: string, path: Path, findings: Findings): string {
  const [name = '', namespace = 'default', ...rest] = written.split('.');
  const isName = rest.length === 0 && appNamePattern.test(name) && appNamePattern.test(namespace);
  if (!isName) findings.error('NAME_INVALID', path, `\`${written}\` is no name`, 'name, or name.namespace');
  return `${name}.${namespace}`;
}
