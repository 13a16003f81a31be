/** Constraints of a microservice as placement rules. */
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import type { LabelRule, Placement } from './spec.ts';
import type { Path } from './yaml.ts';

type Constraint = NonNullable<Microservice['constraints']>[number];

/** Keys that mean something, by type of constraint. */
const keysOf: Readonly<Record<Constraint['type'], readonly string[]>> = {
  direct: ['node', 'cluster'],
  label: ['label', 'in', 'not_in', 'exists'],
  clusters: ['allowed'],
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
    } else {
      findings.error('FIELD_NOT_SERVED', at, `constraints of type ${constraint.type} are not served by this version`);
    }
  });
  return { clusters: clusters ?? [], nodes: nodes ?? [], labels };
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
  const { clusters, nodes, labels } = placement;
  const direct = nodes.length > 0 ? [{ type: 'direct', node: nodes.join(';') }] : [];
  const allowed = clusters.length > 0 ? [{ type: 'clusters', allowed: [...clusters] }] : [];
  const rules = labels.map(({ label, op, values }) => ({
    type: 'label',
    label,
    ...(op === 'in' || op === 'not_in' ? { [op]: [...values] } : { exists: op === 'exists' }),
  }));
  return [...direct, ...allowed, ...rules];
}
