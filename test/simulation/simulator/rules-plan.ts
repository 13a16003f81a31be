/** Plans that people looked at: what is carried out is what they saw, and the first that nodes are told of it is in it. */
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { ControlMessage } from '../../../schemas/messages.ts';
import { parseInstanceName } from '../../../schemas/names.ts';
import type { PlanView } from '../../../schemas/views.ts';
import { serviceOf } from './names.ts';
import type { RuleDeps } from './rules.ts';
import type { DiskRules } from './rules-disk.ts';

export interface PlanRules {
  /**
   * Somebody asks for this plan; `now` is what it would be in the turn in which he asks. `isWanted`: nobody has asked for another state of
   * the service since.
   */
  asked(service: string, seen: PlanView, now: PlanView, isWanted: () => boolean): Promised;
  /** The reconciler sends a control. */
  controls(message: ControlMessage): void;
  /** The reconciler hears something, or begins: what it does next may have other reasons. */
  stirred(): void;
}

/** A plan that somebody asked for. */
export interface Promised {
  /** It was accepted, and is this version. */
  accepted(digest: string): void;
}

interface Open extends Promised {
  readonly service: string;
  readonly seen: PlanView;
  readonly world: string;
  readonly places: Places;
  /** Copies that were decided before, of which nodes may not have been told yet: those wait for the disk. */
  readonly known: ReadonlySet<string>;
  isWanted(): boolean;
  digest: string | undefined;
  /** When its first copy was said. */
  at: number | undefined;
  /** What was said of the service before the answer came. */
  early: Said[];
}

/** What people want of single instances, by slot: where it is to be, and since when it is to be a new one. */
type Places = (slot: number) => string;

/** That a node was told to begin a copy. */
interface Said {
  readonly digest: string | undefined;
  readonly at: number;
  /** What is wrong with it as the first of the plan. */
  readonly wrong: string | undefined;
}

/** What a plan does now, one line for each. What waits for its turn has no node yet, and a token says nothing of it. */
function linesOf({ changes }: PlanView): string[] {
  return changes
    .flatMap(({ action, subject, node }) => (node === undefined ? [] : [`${action} ${subject} ${node}`]))
    .sort();
}

/** All that decides where something goes, as the reconciler shows it, but for this service. */
function worldOf(control: ControlPlane | undefined, service: string): string {
  if (!control) return '';
  const nodes = control.nodes().map(({ id, state, cordoned }) => [id, state, cordoned]);
  const copies = control
    .instances()
    .flatMap((one) => (one.service === service ? [] : [[one.name, one.node, one.copy, one.want]]));
  const holds = control.holds().flatMap(({ code, subject }) => (subject.startsWith(service) ? [] : [[code, subject]]));
  return JSON.stringify([nodes, copies, holds, control.overrides().length, control.status().suspended]);
}

export function createPlanRules({ witness, now, cluster }: RuleDeps, disk: Pick<DiskRules, 'durable'>): PlanRules {
  const open = new Set<Open>();
  const worldNow = (service: string): string => worldOf(cluster()?.reconciler.control, service);

  const placesNow = (service: string): Places => {
    const seats = disk.durable?.direct[service]?.seats;
    const renewals = disk.durable?.renewals[service];
    return (slot) => JSON.stringify([seats?.[slot], renewals?.[slot]]);
  };

  const copiesNow = (service: string): ReadonlySet<string> => {
    const instances = cluster()?.reconciler.control.instances() ?? [];
    const own = instances.filter((one) => one.service === service);
    return new Set(
      own.flatMap(({ name, copy, others = [] }) =>
        [copy, ...others.map((one) => one.copy)].map((id) => `${name}/${id}`),
      ),
    );
  };

  const wrongWith = (
    { seen, world, places, known, service, isWanted }: Open,
    { job, node }: ControlMessage,
  ): string | undefined => {
    if (known.has(`${job.name}/${job.copy}`) || !isWanted()) return undefined;
    const slot = parseInstanceName(job.name)?.slot ?? 0;
    // Somebody asked for another place, or for a restart, meanwhile.
    if (places(slot) !== placesNow(service)(slot)) return undefined;
    const name = cluster()?.nodes.find(({ id }) => id === node)?.name;
    const isSeen = seen.changes.some(
      ({ action, subject, node: to = name }) =>
        (action === 'start' || action === 'replace') && subject === job.name && to === name,
    );
    if (isSeen || world !== worldNow(service)) return undefined;
    return `${job.name} goes to ${name}; the plan was: ${linesOf(seen).join(', ')}`;
  };
  const say = (promise: Open, { digest, at, wrong }: Said): void => {
    if (digest !== promise.digest) return;
    if (promise.at !== undefined && promise.at !== at) return void open.delete(promise);
    promise.at = at;
    if (wrong !== undefined) witness.broken('T2 a plan says what is done', wrong);
  };

  return {
    asked(service, seen, asked, isWanted) {
      const promise: Open = {
        service,
        seen,
        isWanted,
        world: worldNow(service),
        places: placesNow(service),
        known: copiesNow(service),
        digest: undefined,
        at: undefined,
        early: [],
        accepted(digest) {
          promise.digest = digest;
          witness.saw(`person: ${service} is carried out as planned`);
          const [was, is] = [linesOf(seen).join(', '), linesOf(asked).join(', ')];
          if (was !== is) witness.broken('T1 only the plan that was seen', `seen was: ${was}; carried out is: ${is}`);
          for (const said of promise.early) say(promise, said);
          promise.early = [];
        },
      };
      open.add(promise);
      return promise;
    },
    controls(message) {
      const { command, job, epoch, gen } = message;
      if (open.size === 0 || command !== 'deploy' || job.copy !== `${epoch}.${gen}`) return;
      for (const promise of open) {
        if (promise.service !== serviceOf(job.name)) continue;
        const said = { digest: job.digest, at: now(), wrong: wrongWith(promise, message) };
        if (promise.digest === undefined) promise.early.push(said);
        else say(promise, said);
      }
    },
    stirred: () => open.clear(),
  };
}
