/** The number of instances of a service, and the nodes that it is bound to, read and written in the text of its descriptor. */
import type { DocumentText } from '../../schemas/api.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import { nameAt } from '../../schemas/descriptor-names.ts';
import { descriptorDefaults } from '../../schemas/descriptor-parsed.ts';
import { canonicalJson } from '../../schemas/digest.ts';
import type { ServiceName } from '../../schemas/names.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import { type Edited, editYaml, yamlDocuments } from './yaml-edit.ts';

export type Replicas = number | 'every';

interface Place {
  readonly document: number;
  readonly path: readonly (string | number)[];
  readonly replicas: Replicas;
  /** Its constraints that name nodes, by their indexes. */
  readonly direct: readonly number[];
}

/** Which of the documents in the text says the service, and where in it. */
function placesOf(text: string, service: ServiceName): Place[] {
  return yamlDocuments(text).flatMap((document, number) =>
    listIn(document, 'applications').flatMap((application, a) =>
      listIn(application, 'microservices').flatMap((entry, s): Place[] => {
        const path = ['applications', a, 'microservices', s];
        if (nameAt(document, path) !== service) return [];
        const written = (entry as { replicas?: Replicas | null }).replicas;
        const direct = listIn(entry, 'constraints').flatMap((one, index) => (namesNodes(one) ? [index] : []));
        return [{ document: number, path, replicas: written ?? descriptorDefaults.replicas, direct }];
      }),
    ),
  );
}

function listIn(value: unknown, key: string): readonly unknown[] {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return Array.isArray(found) ? found : [];
}

function namesNodes(constraint: unknown): boolean {
  const { type, node } = (constraint ?? {}) as { readonly type?: unknown; readonly node?: unknown };
  return type === 'direct' && typeof node === 'string';
}

/** How many instances a text asks for; undefined: it does not say the service. */
export function replicasIn(text: string, service: ServiceName): Replicas | undefined {
  return placesOf(text, service)[0]?.replicas;
}

/** The place of the one service of that name in a valid descriptor: all problems of an invalid one, NOT_FOUND. */
function placeIn(
  document: DocumentText,
  service: ServiceName,
): Place & { readonly spec: ServiceSpec; readonly line: number } {
  const { file, text } = document;
  const old = specsOf(document).find(({ spec }) => spec.name === service);
  const [place] = old ? placesOf(text, service) : [];
  // A patch that does not say how many leaves that to what it patches.
  if (old && place) return { ...place, ...old, replicas: old.spec.replicas };
  throw new ProblemError(problem('NOT_FOUND', 'the file does not say it', { file, subject: service }));
}

/** How many instances a valid descriptor asks for, and where. All problems of an invalid one, NOT_FOUND. */
export function readReplicas(
  document: DocumentText,
  service: ServiceName,
): { readonly replicas: Replicas; readonly line: number } {
  const { replicas, line } = placeIn(document, service);
  return { replicas, line };
}

/**
 * The descriptor with another number, and nothing else changed: compared after the edit. As {@link readReplicas}; REFUSED with file and
 * line where it cannot be done in place.
 */
export function setReplicas(
  document: DocumentText,
  service: ServiceName,
  replicas: Replicas,
): Pick<Edited, 'text' | 'line'> {
  const { text } = document;
  const place = placeIn(document, service);
  const { document: number, path, line, spec } = place;
  const edited = editYaml(text, {
    document: number,
    path,
    key: 'replicas',
    value: replicas,
    after: 'microservice_name',
  });
  if (place.replicas === replicas) return { text, line: edited?.isNew === false ? edited.line : line };
  return requireOnly(document, edited, { spec: { ...spec, replicas }, line }, `replicas: ${replicas}`);
}

/**
 * The descriptor with the service bound to one of the nodes that its `direct` constraint names: the one that is called one of `names`.
 * Undefined where no constraint names it, or several name nodes. As {@link setReplicas}.
 */
export function setNode(
  document: DocumentText,
  service: ServiceName,
  names: readonly string[],
): Pick<Edited, 'text' | 'line'> | undefined {
  const { text } = document;
  const place = placeIn(document, service);
  const { document: number, path, line, spec } = place;
  const [index, ...others] = place.direct;
  const { nodes } = spec.placement;
  const node = nodes.find((one) => names.includes(one));
  if (node === undefined || index === undefined || others.length > 0) return undefined;
  const at = [...path, 'constraints', index];
  const edited = editYaml(text, { document: number, path: at, key: 'node', value: node, after: 'type' });
  if (nodes.length === 1) return { text, line: edited?.line ?? line };
  const bound = { ...spec, placement: { ...spec.placement, nodes: [node] } };
  return requireOnly(document, edited, { spec: bound, line }, `node: ${node}`);
}

/** REFUSED with what to write unless the edit made this of the service, and nothing of anything else. */
function requireOnly(
  document: DocumentText,
  edited: Edited | undefined,
  { spec, line }: { readonly spec: ServiceSpec; readonly line: number },
  written: string,
): Edited {
  const wanted = specsOf(document).map((one): ServiceSpec => (one.spec.name === spec.name ? spec : one.spec));
  if (edited && isAs({ ...document, text: edited.text }, wanted)) return edited;
  const hint = `write \`${written}\` there, commit and push`;
  const message = 'it cannot be changed in place without changing more';
  throw new ProblemError(problem('REFUSED', message, { file: document.file, line, subject: spec.name, hint }));
}

function specsOf({ file, text, files }: DocumentText): { readonly spec: ServiceSpec; readonly line: number }[] {
  const { services, problems } = parseDescriptor(text, file, files ? { files } : {});
  const errors = problems.filter(({ severity }) => severity !== 'warning');
  if (errors.length > 0) throw new ProblemError(errors);
  return services.map(({ spec, line }) => ({ spec, line }));
}

function isAs(document: DocumentText, wanted: readonly ServiceSpec[]): boolean {
  const { file, text, files } = document;
  const { services } = parseDescriptor(text, file, files ? { files } : {});
  return canonicalJson(services.map(({ spec }) => spec)) === canonicalJson(wanted);
}
