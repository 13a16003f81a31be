/**
 * `adopt`: what people asked for beside git is written into the descriptor and committed, as the verbs with `--commit` do. The overrides
 * end with that: the document that they deviate from has changed.
 */
import type { DocumentText, VerbAnswer } from '../../schemas/api.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { parseInstanceName } from '../../schemas/names.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import { directSource } from '../../schemas/spec.ts';
import type { InstanceView, OverrideView, ServiceView } from '../../schemas/views.ts';
import { adoptDirect, type DirectApi } from './adopt-direct.ts';
import { type Adoption, decideAdoption, renumbered } from './adoption.ts';
import { type Asker, type CommitNote, filesOf, isOwn, type Repository } from './commit-edit.ts';
import { type CommitApi, commitService, type Rewritten } from './commit-service.ts';
import { readReplicas, setNode, setReplicas } from './edit-service.ts';

type AdoptApi = CommitApi & DirectApi & Pick<ApiClient, 'node' | 'instances'>;

interface Adopted {
  /** Without a commit there was nothing to adopt. */
  readonly answer: VerbAnswer & { readonly commit?: CommitNote };
  /** What the descriptor says now. */
  readonly adopted: readonly OverrideView[];
  /** What ended with the commit, and is not in it. */
  readonly ending: readonly OverrideView[];
  /** Instances that others take the place of. */
  readonly renumbered: readonly string[];
}

/**
 * Adopts what a service deviates by, or the override with this id, or of this instance. Answers once the cluster has accepted the commit. NOT_FOUND,
 * OWNED_DIRECTLY; REFUSED for what a descriptor cannot say, and where git refuses.
 */
export async function adopt(api: AdoptApi, target: string, asker: Asker, signal: AbortSignal): Promise<Adopted> {
  const { view, instance, id } = await targetOf(api, target, signal);
  const isAbout = ({ subject }: OverrideView): boolean => instance === undefined || subject === instance;
  if (view.source === directSource) {
    const commit = await adoptDirect(api, view, asker, signal);
    const answer = { service: view.name, digest: view.digest, changed: true, instances: namesOf(view), commit };
    return { answer, adopted: [], ending: [], renumbered: [] };
  }
  const about = id === undefined ? view.overrides.filter(isAbout) : view.overrides;
  const adoption = decideAdoption({ ...view, overrides: about }, id);
  if (!adoption) {
    const answer = { service: view.name, digest: view.digest, changed: false, instances: namesOf(view) };
    return { answer, adopted: [], ending: [], renumbered: [] };
  }
  const edit = await editOf(api, view, adoption, signal);
  const check = (repository: Repository, document: DocumentText): Promise<void> =>
    refusePatch(repository, document, view.name);
  const { adopted, ending } = adoption;
  const ids = new Set([...adopted, ...ending].map((one) => one.id));
  const ends = (one: OverrideView): boolean => ids.has(one.id);
  const why = asker.reason ?? adopted.map(sayOverride).join('; ');
  const committed = await commitService(api, { view, ends, check, edit }, { ...asker, reason: why }, signal);
  // Also where the file said so already: what deviated is what git says now.
  const { write } = adoption;
  const replaced = write.kind === 'replicas' ? renumbered(view, write.replicas) : [];
  return { answer: { ...committed, changed: true }, adopted, ending, renumbered: replaced };
}

function namesOf({ instances }: ServiceView): readonly string[] {
  return instances.map(({ name }) => name);
}

function sayOverride({ change, actor, reason }: OverrideView): string {
  return `${change}, by ${actor}${reason === undefined ? '' : `: ${reason}`}`;
}

interface Target {
  readonly view: ServiceView;
  /** Only what was asked of it. */
  readonly instance?: string;
  readonly id?: string;
}

async function targetOf(api: AdoptApi, target: string, signal: AbortSignal): Promise<Target> {
  const overrides = await api.overrides(signal);
  const override = overrides.find(({ id }) => id === target);
  if (override) {
    const service = parseInstanceName(override.subject)?.service ?? override.subject;
    return { view: await api.service(service, signal), id: override.id };
  }
  try {
    return { view: await api.service(target, signal) };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const [instance] = await api.instances([target], signal).catch(none);
    if (!instance) throw unknownTarget(target, error);
    const move = overrides.find(({ subject }) => subject === instance.name);
    const view = await api.service(instance.service, signal);
    return { view, instance: instance.name, ...(move && { id: move.id }) };
  }
}

function isNotFound(error: unknown): error is ProblemError {
  return isProblemError(error) && error.problem.code === 'NOT_FOUND';
}

function none(error: unknown): readonly InstanceView[] {
  if (isNotFound(error)) return [];
  throw error;
}

function unknownTarget(subject: string, cause: ProblemError): ProblemError {
  const { hint = '`oakctl overrides ls`; what was adopted is not among them any more' } = cause.problem;
  return new ProblemError(problem('NOT_FOUND', 'no service and no override is called that', { subject, hint }), {
    cause,
  });
}

type Edit = (repository: Repository, document: DocumentText) => Promise<Rewritten>;

async function editOf(api: AdoptApi, view: ServiceView, { write }: Adoption, signal: AbortSignal): Promise<Edit> {
  const { name } = view;
  if (write.kind === 'replicas') {
    const { replicas } = write;
    return async (_, document) => {
      const before = readReplicas(document, name).replicas;
      return { ...setReplicas(document, name, replicas), says: `Adopt ${name}: replicas: ${replicas} (was ${before})` };
    };
  }
  const node = await api.node(write.node, signal);
  return async (_, document) => {
    const edited = setNode(document, name, [node.name, ...node.aliases]);
    if (edited) return { ...edited, says: `Adopt ${name}: on node ${node.name}` };
    const { line } = readReplicas(document, name);
    const message = `no \`direct\` constraint of it names ${node.name}: a descriptor says where a service may be, not where one of its instances is`;
    const hint = `\`oakctl overrides rm\` ends the move, and it stays where it is; to bind it for good, write \`constraints: [{type: direct, node: ${node.name}}]\` there`;
    throw new ProblemError(problem('REFUSED', message, { file: document.file, line, subject: name, hint }));
  };
}

/** REFUSED where two files say the service together: nobody knows which of them is meant. */
async function refusePatch(repository: Repository, document: DocumentText, service: string): Promise<void> {
  const [under] = patchesOf(document);
  const over = under === undefined ? await patchOver(repository, document.file) : document.file;
  if (over === undefined) return;
  const message = `two files say it, ${over} over ${under ?? document.file}: which of them is meant is for you to say`;
  const hint = `write it into ${over} for this cluster, or into ${under ?? document.file} for all, commit and push`;
  throw new ProblemError(problem('REFUSED', message, { file: over, subject: service, hint }));
}

/** The file of this cluster that patches a file. */
async function patchOver(repository: Repository, file: string): Promise<string | undefined> {
  if (isOwn(repository, file)) return undefined;
  for await (const other of filesOf(repository)) if (patchesOf(other).includes(file)) return other.file;
  return undefined;
}

function patchesOf({ file, text, files }: DocumentText): readonly string[] {
  return text.includes('patch') ? parseDescriptor(text, file, files ? { files } : {}).patches : [];
}
