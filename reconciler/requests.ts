/**
 * What people and programs ask for of services, from the API and the bus: one request at a time for each service. Each begins from
 * what is on disk and in force, so that none is built on what the disk refuses to another, or takes the place of what was answered.
 */
import type { DeployRequest } from '../schemas/api.ts';
import { parseInstanceName } from '../schemas/names.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Seats } from './core/deviations.ts';
import type { Direct, Names } from './direct.ts';
import type { Overrides } from './overrides.ts';
import { requirePlan } from './plan-token.ts';
import { readDescriptors } from './read-descriptors.ts';
import type { Retirements } from './retirements.ts';
import type { Seating } from './seating.ts';
import { createSubjectTurns } from './subject-turns.ts';
import type { Verbs } from './verbs.ts';

export interface Requests
  extends Pick<Seating, 'move' | 'replicate' | 'add' | 'drop'>,
    Pick<Verbs, 'scale' | 'stop' | 'start'>,
    Pick<Retirements, 'undelete'>,
    Pick<ControlPlane, 'restart' | 'removeOverride'> {
  /** REFUSED where it names a plan that would be another one by now. `seats`: places for the slots of what is deployed. */
  deploy(request: DeployRequest, seats?: Seats): ReturnType<Direct['deploy']>;
  /** OWNED_BY_GIT, NOT_FOUND. */
  remove(names: Names, actor: string): ReturnType<Direct['remove']>;
}

export interface RequestParts {
  readonly direct: Direct;
  readonly seating: Seating;
  readonly verbs: Verbs;
  readonly overrides: Overrides;
  readonly retirements: Retirements;
}

export function createRequests(context: Context, parts: RequestParts): Requests {
  const { direct, seating, verbs, overrides, retirements } = parts;
  const inTurn = createSubjectTurns();
  /** Of one instance. What is none is for the verb to refuse. */
  const ofInstance = <A extends unknown[], T>(verb: (instance: string, ...more: A) => Promise<T>) => {
    return (instance: string, ...more: A): Promise<T> => {
      const service = parseInstanceName(instance)?.service;
      return inTurn(service === undefined ? [] : [service], () => verb(instance, ...more));
    };
  };
  return {
    async deploy(request, seats) {
      const read = readDescriptors(request.documents, context.deps.settings);
      const names = read.services.map(({ spec }) => spec.name);
      return inTurn(names, async () => {
        requirePlan(context, request);
        return direct.deploy(read, request.actor, seats);
      });
    },
    async remove(names, actor) {
      for (;;) {
        const services = direct.find(names);
        const removed = await inTurn(services, async () => {
          // What an application has may be other services by now: one that came waits for its turn as well, one that went is none of it.
          const left = direct.find(names);
          return left.every((name) => services.includes(name)) ? direct.remove(left, actor) : undefined;
        });
        if (removed) return removed;
      }
    },
    move: ofInstance(seating.move),
    replicate: ofInstance(seating.replicate),
    drop: ofInstance(seating.drop),
    add: (service, to, actor) => inTurn([service], () => seating.add(service, to, actor)),
    scale: (service, replicas, how) => inTurn([service], () => verbs.scale(service, replicas, how)),
    stop: (service, how) => inTurn([service], () => verbs.stop(service, how)),
    start: (service, actor) => inTurn([service], () => verbs.start(service, actor)),
    undelete: (service, how) => inTurn([service], () => retirements.undelete(service, how)),
    removeOverride(id, actor) {
      const service = context.keeper.now.overrides[id]?.service;
      return inTurn(service === undefined ? [] : [service], () => overrides.remove(id, actor));
    },
    async restart(service, instance, actor, { pull = false } = {}) {
      // Nobody waits for what a registry says.
      const asked = pull ? await verbs.askTag(service, instance) : undefined;
      return inTurn([service], () => verbs.restart(service, instance, actor, asked));
    },
  };
}
