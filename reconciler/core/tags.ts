/**
 * What the tags of images stand for. It is asked once per version of a service, before the first copy of it starts, and from then
 * on every copy of that version is made of the same content, whatever becomes of the tag. What runs is never changed by it.
 */
import { knows } from '../../schemas/features.ts';
import { imageFault, parseImage } from '../../schemas/image-name.ts';
import type { Job } from '../../schemas/messages.ts';
import type { ServiceName } from '../../schemas/names.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Desired, Node, View } from './model.ts';

/** What is known of the tag of one version. */
export interface TagRecord {
  /** E.g. `sha256:…`. Absent: nobody said it when this version was new, and the tag counts as it is written. */
  readonly content?: string;
  /** Then: why. */
  readonly why?: string;
  /** What counted before it was asked for anew: counts again if the restart that asked for it fails. */
  readonly before?: Omit<TagRecord, 'before'>;
}

/** By digest of the version. */
export type TagRecords = Readonly<Record<string, TagRecord>>;

/** What is known of the tags of one service. */
export interface Tags {
  readonly known: TagRecords;
  /** The version whose tag is being asked for: it waits for the answer, which comes soon in any case. */
  readonly asked?: string;
}

export const noTags: Tags = { known: {} };

type Known = Pick<View, 'tags'>;

/** The content that copies of this version are made of; undefined: whatever the tag is. */
export function contentOf({ tags }: Known, service: ServiceName, digest: string): string | undefined {
  return tags.get(service)?.known[digest]?.content;
}

/** What is known once a node has told of this job: records may be lost, and what they said is there. Undefined: nothing new. */
export function tagsFound(tags: Tags | undefined, { digest, content }: Job): Tags | undefined {
  if (content === undefined || tags?.known[digest]) return undefined;
  return { ...tags, known: { ...tags?.known, [digest]: { content } } };
}

/** The content as a member of a job on this node: who does not know of contents pulls by the tag. */
export function optionalContent(
  view: Known,
  job: { readonly service: ServiceName; readonly digest: string; readonly node: Node | undefined },
): Pick<Job, 'content'> {
  if (!knows(job.node?.information?.fields ?? [], 'content')) return {};
  const content = contentOf(view, job.service, job.digest);
  return content === undefined ? {} : { content };
}

/** The image of a run spec, if it has a tag that may stand for this today and for that tomorrow. */
export function taggedImage({ virtualization, code }: Pick<RunSpec, 'virtualization' | 'code'>): string | undefined {
  if (virtualization !== 'container' || imageFault(code) !== undefined) return undefined;
  return parseImage(code).digest === undefined ? code : undefined;
}

/**
 * The image whose tag is to be asked for now. Undefined: none. A version of which there are copies is not new: it goes on as it
 * began, also if it began before anybody asked.
 */
export function imageToAsk(view: Known & Pick<View, 'copies'>, desired: Desired | undefined): string | undefined {
  if (!desired || desired.stopped) return undefined;
  const { name, digest, run } = desired.spec;
  const tags = view.tags.get(name);
  if (tags?.known[digest] || tags?.asked === digest) return undefined;
  const image = taggedImage(run);
  return image === undefined || hasCopies(view, name, digest) ? undefined : image;
}

/** What keeps copies of this version from being started for a moment. */
export function tagHold(view: Known, service: ServiceName, digest: string, subject: string): Hold | undefined {
  if (view.tags.get(service)?.asked !== digest) return undefined;
  return { code: 'IN_PROGRESS', subject, message: 'the registry is asked what the tag of its image stands for' };
}

/** What is known of versions that are still of use: wanted, the last good one, one of a run, or one that has copies. */
export function usefulTags(
  view: Known & Pick<View, 'copies' | 'rollouts' | 'schedules'>,
  service: ServiceName,
  desired: Desired | undefined,
): TagRecords {
  const known = view.tags.get(service)?.known ?? {};
  const rollout = view.rollouts.get(service);
  const named = [
    desired?.spec.digest,
    rollout?.digest,
    rollout?.good?.digest,
    view.schedules.get(service)?.current?.digest,
  ];
  const kept = Object.entries(known).filter(([digest]) => named.includes(digest) || hasCopies(view, service, digest));
  return kept.length === Object.keys(known).length ? known : Object.fromEntries(kept);
}

/** The record after a registry answered anew. */
export function renewedTag(known: TagRecord | undefined, content: string): TagRecord {
  return known?.content === content ? { content } : { content, before: settledTag(known ?? {}) };
}

/** What is there without what counted before: nobody goes back to it any more. */
export function settledTag({ before: _before, ...record }: TagRecord): TagRecord {
  return record;
}

/** Promised ones, and those that a node reports whose ledger is not read yet. */
function hasCopies({ copies }: Pick<View, 'copies'>, service: ServiceName, digest: string): boolean {
  for (const { job, report } of copies.get(service)?.values() ?? [])
    if ((job?.digest ?? report?.digest) === digest) return true;
  return false;
}
