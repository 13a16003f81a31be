/** Whose applications are whose: who deploys a name first that nobody uses owns it, until nothing is left of it. */
import { parseInstanceName, parseServiceName } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import { type Caller, isOwnerOnly } from './core/rights.ts';
import { withEntry } from './records-keeper.ts';

/** What it needs of the loop. */
export interface OwnershipContext extends Pick<Context, 'keeper'> {
  readonly world: Pick<Context['world'], 'desired'>;
}

export interface Ownership {
  /** May this caller see and change that application? */
  owns(caller: Caller, app: string): boolean;
  /**
   * Makes free names the caller's own. FORBIDDEN where one of them is not his. Durable when the next change is. They stay his while what
   * he asked for is on its way or waits for its turn: until what this returns is called.
   */
  claim(caller: Caller, apps: readonly string[]): () => void;
  /** Names of which nothing is left, and nothing is on its way, are free again. */
  tidy(): void;
}

export function createOwnership({ keeper, world }: OwnershipContext): Ownership {
  /** One for each request under way. */
  const claims = new Set<readonly string[]>();
  const owners = (): Readonly<Record<string, string>> => keeper.now.owners ?? {};
  const isUsed = (app: string): boolean =>
    Object.hasOwn(keeper.now.applications ?? {}, app) ||
    [...world.desired.keys(), ...Object.keys(keeper.now.direct)].some((service) => appOf(service) === app);
  const owns = (caller: Caller, app: string): boolean => {
    const { user, apps } = caller;
    if (apps && !apps.includes(app)) return false;
    if (!isOwnerOnly(caller)) return true;
    return user !== undefined && Object.hasOwn(owners(), app) && owners()[app] === user;
  };
  const tidy = (): void => {
    const isClaimed = (app: string): boolean => [...claims].some((apps) => apps.includes(app));
    const left = Object.entries(owners()).filter(([app]) => isUsed(app) || isClaimed(app));
    if (left.length < Object.keys(owners()).length) keeper.change({ owners: Object.fromEntries(left) });
  };
  return {
    owns,
    claim(caller, apps) {
      const free = apps.filter((app) => !owns(caller, app));
      for (const app of free) {
        const isLimited = caller.apps !== undefined && !caller.apps.includes(app);
        if (caller.user === undefined || isLimited || Object.hasOwn(owners(), app) || isUsed(app)) {
          const what = `the application ${app} is not one of ${caller.name}'s`;
          throw new ProblemError(problem('FORBIDDEN', what, { subject: app, hint: 'choose another name' }));
        }
      }
      for (const app of free) keeper.change({ owners: withEntry(owners(), app, caller.user) });
      const claim = [...apps];
      claims.add(claim);
      return () => {
        claims.delete(claim);
        tidy();
      };
    },
    tidy,
  };
}

/** The application that something belongs to: an application, a service or an instance; undefined for anything else. */
export function appOf(subject: string): string | undefined {
  const parts = parseServiceName(parseInstanceName(subject)?.service ?? subject);
  if (parts) return `${parts.app}.${parts.appNamespace}`;
  return /^[^./]+\.[^./]+$/.test(subject) ? subject : undefined;
}
