/**
 * Tags of images around the planner: a version that is new has its tag asked for before its first copy starts, and what was said is
 * on record before anybody is told to start one. A registry that says nothing holds nobody up for long: then the tag counts as it is
 * written, and the record says so, so that this version is not asked for again by itself.
 */
import type { ServiceName } from '../schemas/names.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { Desired } from './core/model.ts';
import {
  imageToAsk,
  noTags,
  renewedTag,
  settledTag,
  type TagRecord,
  type Tags,
  taggedImage,
  usefulTags,
} from './core/tags.ts';
import { wantedOf } from './core/wanted.ts';
import { savedOr, withEntry } from './records-keeper.ts';
import { createTagLine } from './tag-line.ts';

/** What a registry says of the tag of a version. */
export interface Asked {
  readonly digest: string;
  readonly image: string;
  readonly content: string;
}

/** Tags of the versions that services are to run. */
export interface TagDesk {
  /** Tells the world what records/ holds: at start. */
  load(): void;
  /** Has the tag of a version asked for that is new, and forgets versions that are gone. Called before each plan. */
  look(service: ServiceName): void;
  /**
   * Asks anew for the version that is wanted, and changes nothing. REFUSED where there is nothing to ask, UNAVAILABLE, and what the
   * registry says that does not tell.
   */
  ask(service: ServiceName): Promise<Asked>;
  /**
   * What was asked for counts from now on; durable when it resolves. False: the tag stands for what it stood for. UNAVAILABLE where
   * another version is wanted by now.
   */
  renew(service: ServiceName, asked: Asked): Promise<boolean>;
  /** A restart begins that asks for nothing: what an earlier one found counts for good. On disk with what comes next. */
  settle(service: ServiceName): void;
  /** A restart has failed: what counted before it counts again. True: that is something else. On disk with what the planner decides next. */
  giveUp(service: ServiceName): boolean;
}

export function createTagDesk(context: Context): TagDesk {
  const { deps, world, keeper } = context;
  const { registries } = deps;
  const line = registries && createTagLine(deps, registries.resolve);
  const tagsOf = (service: ServiceName): Tags => world.tags.get(service) ?? noTags;

  const tell = (service: ServiceName, tags: Tags): void => {
    const isNone = tags.asked === undefined && Object.keys(tags.known).length === 0;
    context.apply({ kind: 'tags', service, ...(isNone ? {} : { tags }) });
  };
  const record = (service: ServiceName, known: Tags['known']): void => {
    const entry = Object.keys(known).length > 0 ? known : undefined;
    keeper.change({ tags: withEntry(keeper.now.tags, service, entry) });
  };
  /** Sets the record of one version, and is not asking for it any more. */
  const set = (service: ServiceName, digest: string, to: TagRecord): void => {
    const { known, asked } = tagsOf(service);
    const next = { ...known, [digest]: to };
    record(service, next);
    tell(service, { known: next, ...(asked === undefined || asked === digest ? {} : { asked }) });
  };
  const recordOf = (service: ServiceName): { readonly digest: string; readonly known: TagRecord } | undefined => {
    const digest = world.desired.get(service)?.spec.digest ?? '';
    const known = tagsOf(service).known[digest];
    return known && { digest, known };
  };

  const askOnce = async (service: ServiceName, digest: string, image: string): Promise<void> => {
    const answer = await line?.ask(image);
    // Another version is wanted by now, or somebody asked with more patience and knows already.
    if (!answer || tagsOf(service).asked !== digest) return;
    if ('content' in answer) deps.log('info', 'tag_resolved', { service, image, content: answer.content });
    else deps.log('warn', 'tag_unresolved', { service, image, problem: answer.problem });
    set(service, digest, 'content' in answer ? { content: answer.content } : { why: whyOf(answer.problem) });
  };

  const forget = (service: ServiceName, desired: Desired | undefined): void => {
    const { known, asked } = tagsOf(service);
    const kept = usefulTags(world, service, desired);
    const isMoot = asked !== undefined && asked !== desired?.spec.digest;
    if (kept === known && !isMoot) return;
    if (kept !== known) record(service, kept);
    tell(service, { known: kept, ...(asked === undefined || isMoot ? {} : { asked }) });
  };

  return {
    load() {
      for (const [service, known] of Object.entries(keeper.now.tags)) tell(service, { known });
    },

    look(service) {
      if (world.recovering || !line) return;
      const desired = wantedOf(world, service);
      if (world.tags.has(service)) forget(service, desired);
      const image = imageToAsk(world, desired);
      if (!desired || image === undefined) return;
      const { digest } = desired.spec;
      tell(service, { known: tagsOf(service).known, asked: digest });
      void askOnce(service, digest, image);
    },

    async ask(service) {
      const desired = wantedOf(world, service);
      const image = desired && taggedImage(desired.spec.run);
      if (!desired || image === undefined)
        throw refused('REFUSED', service, 'its image has no tag that could stand for something else by now');
      if (!line) throw refused('UNAVAILABLE', service, 'this reconciler asks no registries');
      const { digest } = desired.spec;
      const rollout = world.rollouts.get(service);
      if (rollout?.digest === digest && rollout.phase === 'rolled_back')
        throw refused('REFUSED', service, 'this version failed, and the last good one runs', 'deploy another version');
      const answer = await line.insist(image);
      if ('content' in answer) return { digest, image, content: answer.content };
      const hint = `nothing restarts; oakctl restart ${service} starts anew what it is made of now`;
      throw new ProblemError({ ...answer.problem, subject: service, hint });
    },

    async renew(service, { digest, image, content }) {
      if (world.desired.get(service)?.spec.digest !== digest)
        throw refused('UNAVAILABLE', service, 'another version was asked for meanwhile', 'try again');
      const known = tagsOf(service).known[digest];
      const next = renewedTag(known, content);
      record(service, { ...tagsOf(service).known, [digest]: next });
      await savedOr(keeper, () => record(service, tagsOf(service).known));
      deps.log('info', 'tag_resolved', { service, image, content });
      set(service, digest, next);
      return known?.content !== content;
    },

    settle(service) {
      const found = recordOf(service);
      if (found?.known.before) set(service, found.digest, settledTag(found.known));
    },

    giveUp(service) {
      const found = recordOf(service);
      if (!found?.known.before) return false;
      set(service, found.digest, found.known.before);
      return true;
    },
  };
}

/** Why a tag counts as it is written, for people. */
function whyOf(said: Problem): string {
  return `${said.code}: ${said.message}`;
}

function refused(code: 'REFUSED' | 'UNAVAILABLE', subject: string, message: string, hint?: string): ProblemError {
  return new ProblemError(problem(code, message, { subject, ...(hint ? { hint } : {}) }));
}
