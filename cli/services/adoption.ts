/** What of a service's deviations goes into its descriptor, and what cannot. Pure. */
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { OverrideView, ServiceView } from '../../schemas/views.ts';

export interface Adoption {
  readonly write:
    | { readonly kind: 'replicas'; readonly replicas: number }
    /** Its one instance belongs there: the name of a node. */
    | { readonly kind: 'node'; readonly node: string };
  /** What the descriptor will say. */
  readonly adopted: readonly OverrideView[];
  /** What ends with it, and it does not say: any change of a document ends all that deviates from it. */
  readonly ending: readonly OverrideView[];
}

/**
 * All overrides of a service, or that with the id `only`. Undefined: it is as its source says. NOT_FOUND for an id that is
 * not among them; REFUSED for what a descriptor cannot say, and for one override if another would end with it unsaid.
 */
export function decideAdoption(view: ServiceView, only?: string): Adoption | undefined {
  const { overrides } = view;
  if (only !== undefined) requireAlone(view, only);
  if (overrides.length === 0) return requireNoDrift(view);
  const of = (kind: OverrideView['kind']): OverrideView | undefined => overrides.find((one) => one.kind === kind);
  if (of('undelete')) refuseUndeleted(view);
  const stop = of('stop');
  const counted = stop ?? of('scale');
  if (!counted) return moved(view);
  const replicas = stop ? 0 : countOf(view, counted);
  const ending = overrides.filter((one) => one !== counted);
  if (!stop) for (const one of ending) requireThere(view, one);
  return { write: { kind: 'replicas', replicas }, adopted: [counted], ending };
}

/** The commit for one override would take the others with it. A move is no loss: what was moved stays where it is. */
function requireAlone({ name, overrides }: ServiceView, only: string): void {
  if (!overrides.some(({ id }) => id === only)) {
    throw new ProblemError(
      problem('NOT_FOUND', `no override has the id ${only} any more`, { subject: name, hint: '`oakctl overrides ls`' }),
    );
  }
  const other = overrides.find(({ id, kind }) => id !== only && kind !== 'move');
  if (!other) return;
  const hint = `\`oakctl adopt ${name}\` takes them together, \`oakctl overrides rm ${other.id}\` ends that one`;
  const message = `the override ${other.id} (${other.change}) would end with the commit`;
  throw new ProblemError(problem('REFUSED', message, { subject: name, hint }));
}

function countOf(view: ServiceView, { id, replicas }: OverrideView): number {
  const { name } = view;
  if (view.replicas === 'every') {
    const end = `\`oakctl overrides rm ${id}\``;
    return refuse(view, name, 'it has one instance on every node that matches: it has no number', end);
  }
  if (replicas !== undefined) return replicas;
  const hint = `\`oakctl scale ${name} <n> --commit\``;
  return refuse(view, name, `the reconciler is older, and does not say the number of override ${id}`, hint);
}

/** A node for all its instances is something that a descriptor can say: so of one that has one instance, and that is there. */
function moved(view: ServiceView): Adoption {
  const [move, ...others] = view.overrides as readonly [OverrideView, ...OverrideView[]];
  const { subject, node, id } = move;
  const end = `\`oakctl overrides rm ${id}\` ends the move, and the instance stays where it is`;
  if (node === undefined || others.length > 0 || view.slots !== 1 || view.replicas !== 1) {
    const message = 'a descriptor says where a service may be, not where one of its instances is';
    return refuse(view, subject, message, end);
  }
  requireThere(view, move);
  return { write: { kind: 'node', node }, adopted: [move], ending: [] };
}

/** A move that is under way would end half-way with the commit. An older reconciler does not say where to. */
function requireThere(view: ServiceView, { id, kind, subject, node }: OverrideView): void {
  if (kind !== 'move' || node === undefined) return;
  const instance = view.instances.find(({ name }) => name === subject);
  if (instance?.node === node && instance.healthy) return;
  const hint = `\`oakctl why ${subject}\` says what it waits for; then again, or \`oakctl overrides rm ${id}\``;
  refuse(view, subject, `it is not healthy on ${node} yet`, hint);
}

/**
 * Instances that are replaced by others when git says so many: it numbers them from 0 without gaps, and a scale that went down in between
 * left some. Those that go because there are too many of them, the highest first, are not among them.
 */
export function renumbered({ instances }: Pick<ServiceView, 'instances'>, replicas: number): readonly string[] {
  const staying = [...instances].sort((a, b) => a.slot - b.slot).slice(0, replicas);
  return staying.filter(({ slot }) => slot >= replicas).map(({ name }) => name);
}

function refuseUndeleted(view: ServiceView): never {
  const { name, commit, file } = view;
  const back = commit && file ? `\`git checkout ${commit} -- ${file}\`` : '`git revert` of the commit that removed it';
  const hint = `${back}, commit and push: the override ends with that`;
  return refuse({}, name, 'its source removed it: there is no file to adopt into', hint);
}

/** What somebody did on a node is no wish that a descriptor has a word for. */
function requireNoDrift(view: ServiceView): undefined {
  const copies = view.instances.flatMap(({ name, node, drift, others = [] }) => {
    return [{ node, drift }, ...others].map((copy) => ({ name, node: copy.node, drift: copy.drift }));
  });
  const open = copies.find(({ drift }) => drift && !drift.healed);
  if (!open?.drift) return undefined;
  const { kind, what } = open.drift;
  const message = `what was done by hand on ${open.node ?? 'its node'} is not adopted (${what ?? kind})`;
  const hint =
    kind === 'changed'
      ? 'a descriptor caps by `limits: {memory: <MB>, vcpus: <n>}`: write that there, commit and push'
      : `\`oakctl stop ${view.name} --commit\` stops it for good, \`oakctl restart ${open.name}\` starts it anew`;
  return refuse(view, open.name, message, hint);
}

function refuse(
  { file, line }: Pick<ServiceView, 'file' | 'line'>,
  subject: string,
  message: string,
  hint: string,
): never {
  const place = { ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
  throw new ProblemError(problem('REFUSED', message, { ...place, subject, hint }));
}
