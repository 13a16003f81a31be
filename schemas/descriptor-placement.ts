/** Constraints of a microservice as placement rules. */
import { architecture } from './architecture.ts';
import type { Descriptor, Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { labelKeyPattern, parseServiceName, type ServiceName, serviceName } from './names.ts';
import type { ApartRule, LabelRule, Placement, SpreadRule } from './spec.ts';
import type { Path } from './yaml.ts';

type Application = Descriptor['applications'][number];
type Constraint = NonNullable<Microservice['constraints']>[number];

/** Keys that mean something, by type of constraint. */
const keysOf: Readonly<Record<Constraint['type'], readonly string[]>> = {
  direct: ['node', 'cluster'],
  label: ['label', 'in', 'not_in', 'exists'],
  clusters: ['allowed'],
  apart: ['services', 'label'],
  addons: ['needs'],
  latency: ['area', 'threshold', 'rigidness', 'convergence_time'],
  geo: ['location', 'threshold', 'rigidness', 'convergence_time'],
};

/** All constraints hold together; two that list nodes (or clusters) leave what both list. */
export function toPlacement(constraints: readonly Constraint[], path: Path, findings: Findings): Placement {
  let clusters: readonly string[] | undefined;
  let nodes: readonly string[] | undefined;
  const labels: LabelRule[] = [];
  constraints.forEach((constraint, index) => {
    const at = [...path, index];
    checkKeys(constraint, at, findings);
    if (constraint.type === 'direct') {
      const named = names(constraint.node);
      const cluster = names(constraint.cluster);
      if (named.length + cluster.length === 0) {
        findings.error('DESCRIPTOR_INVALID', at, 'a direct constraint names a node, a cluster or both', 'node: "a;b"');
      }
      nodes = both(nodes, named, at, findings);
      clusters = both(clusters, cluster, at, findings);
    } else if (constraint.type === 'clusters') {
      clusters = both(clusters, constraint.allowed ?? [], at, findings);
    } else if (constraint.type === 'label') {
      labels.push(...labelRules(constraint, at, findings));
    } else if (constraint.type === 'apart') {
      checkApart(constraint, at, findings);
    } else {
      findings.error('FIELD_NOT_SERVED', at, `constraints of type ${constraint.type} are not served by this version`);
    }
  });
  return { clusters: clusters ?? [], nodes: nodes ?? [], labels };
}

function checkApart({ services, label }: Constraint, path: Path, findings: Findings): void {
  if (!services) {
    findings.error('DESCRIPTOR_INVALID', path, 'an apart constraint names services', 'services: [web]');
  }
  checkLabel(label, [...path, 'label'], findings);
}

function checkLabel(label: string | undefined, path: Path, findings: Findings): void {
  if (label !== undefined && !labelKeyPattern.test(label)) {
    findings.error('DESCRIPTOR_INVALID', path, `\`${label}\` is not a key of a label`);
  }
}

/** The rest of placement: what is beside the constraints, and the rules that need to know the application. */
export function toWhere(
  service: Microservice,
  application: Application,
  path: Path,
  findings: Findings,
): Pick<Placement, 'arch' | 'apart' | 'spread'> {
  const arch = [...new Set(service.arch?.map(architecture))].sort();
  const apart = (service.constraints ?? []).flatMap((constraint, index): ApartRule[] => {
    const { type, label, services = [] } = constraint;
    if (type !== 'apart') return [];
    const at = [...path, 'constraints', index, 'services'];
    const full = services.flatMap((name, n) => fullName(name, application, [...at, n], findings));
    return [{ services: [...new Set(full)].sort(), ...(label === undefined ? {} : { label }) }];
  });
  const spread = (service.spread ?? []).map(({ label, required = false }, index): SpreadRule => {
    checkLabel(label, [...path, 'spread', index, 'label'], findings);
    return { label, required };
  });
  return {
    ...(arch.length > 0 ? { arch } : {}),
    ...(apart.length > 0 ? { apart } : {}),
    ...(spread.length > 0 ? { spread } : {}),
  };
}

/** A full name as it stands; a short one is a service of the same application. */
function fullName(name: string, application: Application, path: Path, findings: Findings): ServiceName[] {
  if (parseServiceName(name)) return [name];
  const own = application.microservices.filter((one) => one.microservice_name === name);
  if (own.length === 0) {
    const message = `application ${application.application_name} has no service \`${name}\` here`;
    findings.error('DESCRIPTOR_INVALID', path, message, 'the full name is app.namespace.service.namespace');
  }
  const { application_name: app, application_namespace: appNamespace = 'default' } = application;
  return own.map(({ microservice_namespace: serviceNamespace = 'default' }) =>
    serviceName({ app, appNamespace, service: name, serviceNamespace }),
  );
}

/** `"a;b"`, without blanks and doubles. */
function names(list: string | undefined): readonly string[] {
  return [...new Set((list ?? '').split(';').map((name) => name.trim()))].filter((name) => name !== '');
}

function both(
  before: readonly string[] | undefined,
  more: readonly string[],
  path: Path,
  findings: Findings,
): readonly string[] | undefined {
  if (more.length === 0) return before;
  if (!before) return more;
  const rest = before.filter((name) => more.includes(name));
  if (rest.length === 0) {
    findings.error(
      'DESCRIPTOR_INVALID',
      path,
      `no name is in both constraints (${before.join(';')} and ${more.join(';')})`,
    );
  }
  return rest;
}

function labelRules(constraint: Constraint, path: Path, findings: Findings): readonly LabelRule[] {
  const { label, exists } = constraint;
  if (!label) {
    findings.error('DESCRIPTOR_INVALID', path, 'a label constraint needs `label`', 'label: zone, in: [attic]');
    return [];
  }
  const rules: LabelRule[] = [];
  if (constraint.in) rules.push({ label, op: 'in', values: [...constraint.in] });
  if (constraint.not_in) rules.push({ label, op: 'not_in', values: [...constraint.not_in] });
  if (exists !== undefined) rules.push({ label, op: exists ? 'exists' : 'not_exists', values: [] });
  if (rules.length === 0) {
    findings.error('DESCRIPTOR_INVALID', path, 'a label constraint needs `in`, `not_in` or `exists`', 'in: [attic]');
  }
  return rules;
}

function checkKeys(constraint: Constraint, path: Path, findings: Findings): void {
  const known = keysOf[constraint.type];
  for (const key of Object.keys(constraint)) {
    if (key === 'type' || known.includes(key)) continue;
    const message = `a ${constraint.type} constraint has no \`${key}\``;
    findings.error('UNKNOWN_FIELD', [...path, key], message, `it has ${known.join(', ')}`);
  }
}

/** The constraints that say the same, for `validate -o yaml`. */
export function fromPlacement(placement: Placement): readonly Record<string, unknown>[] {
  const { clusters, nodes, labels, apart = [] } = placement;
  const direct = nodes.length > 0 ? [{ type: 'direct', node: nodes.join(';') }] : [];
  const allowed = clusters.length > 0 ? [{ type: 'clusters', allowed: [...clusters] }] : [];
  const rules = labels.map(({ label, op, values }) => ({
    type: 'label',
    label,
    ...(op === 'in' || op === 'not_in' ? { [op]: [...values] } : { exists: op === 'exists' }),
  }));
  const kept = apart.map((rule) => ({ type: 'apart', ...rule, services: [...rule.services] }));
  return [...direct, ...allowed, ...rules, ...kept];
}
