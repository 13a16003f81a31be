/** Which jobs come from the history of what is accepted now: what nobody wants any more goes only if that is told. */
import type { ServiceName } from '../schemas/names.ts';
import { isProblemError } from '../schemas/problem.ts';
import type { Context, Source } from './context.ts';
import type { Copy } from './core/model.ts';
import { servicesOf } from './core/records.ts';
import type { SourceSnapshot } from './core/snapshot.ts';

export interface Ancestry {
  /** Looks up the ancestry of jobs that nobody wants any more, and tells the world. */
  explain(signal: AbortSignal): Promise<void>;
  /**
   * Names that the source had and that this commit does not show, with copies that no commit in its history explains: what it took over
   * with the name, or what came before its history was rewritten. That it had the name is reason enough for them to go with it. Only of
   * those that `mayGo`: for the others nobody asks the remote, which may not answer.
   */
  strangersTo(
    source: Source,
    snapshot: Pick<SourceSnapshot, 'commit' | 'services'>,
    mayGo: (name: ServiceName) => boolean,
    signal: AbortSignal,
  ): Promise<readonly ServiceName[]>;
}

export function createAncestry(context: Context): Ancestry {
  const { deps, world, keeper } = context;
  return {
    async strangersTo(source, { commit, services }, mayGo, signal) {
      const strangers: ServiceName[] = [];
      const known = new Map<string, boolean>();
      const isExplained = async ({ job }: Copy): Promise<boolean> => {
        if (job === undefined) return true;
        const { name, commit: from } = job.source;
        if (name !== source.name || from === undefined) return false;
        const answer = known.get(from) ?? (await source.git.isAncestor(from, commit, signal)) === true;
        known.set(from, answer);
        return answer;
      };
      for (const name of servicesOf(keeper.now.sources[source.name])) {
        if (services.has(name) || !world.copies.has(name) || !mayGo(name)) continue;
        for (const copy of world.copies.get(name)?.values() ?? []) {
          if (await isExplained(copy)) continue;
          strangers.push(name);
          break;
        }
      }
      return strangers;
    },

    async explain(signal) {
      const asked = new Map<string, { source: Source; commit: string }>();
      for (const [service, copies] of world.copies) {
        if (world.desired.has(service)) continue;
        for (const { job } of copies.values()) {
          const source = deps.sources.find((one) => one.name === job?.source.name);
          const commit = job?.source.commit;
          if (!source || commit === undefined || !world.heads.has(source.name)) continue;
          const key = `${source.name}@${commit}`;
          if (!world.ancestry.has(key)) asked.set(key, { source, commit });
        }
      }
      for (const { source, commit } of asked.values()) {
        const head = world.heads.get(source.name);
        if (head === undefined) continue;
        try {
          const ancestor = await source.git.isAncestor(commit, head, signal);
          // Another head may have been accepted meanwhile: then this says nothing.
          if (ancestor !== undefined && world.heads.get(source.name) === head)
            context.apply({ kind: 'ancestry', source: source.name, commit, ancestor });
        } catch (error) {
          if (!isProblemError(error)) throw error;
          deps.log('warn', 'ancestry_unknown', { source: source.name, commit, why: error.message });
        }
      }
    },
  };
}
