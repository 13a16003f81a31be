/**
 * What Oakestra's API has beside the control plane: applications that were registered, also while nothing is in them, and the ids by
 * which its clients call things. An id is a hash of a name; only what was renamed has it on record.
 */
import { createHash } from 'node:crypto';
import type { ServiceName } from '../schemas/names.ts';
import type { OakestraIds } from './core/oakestra.ts';
import type { Caller } from './core/rights.ts';
import { appOf, type Ownership, type OwnershipContext } from './ownership.ts';
import type { Keys } from './ports.ts';
import { withEntry } from './records-keeper.ts';

export interface OakestraDesk extends OakestraIds {
  /** Of the cluster. */
  readonly location: string;
  /** The service with this id, of all that are wanted. */
  serviceWith(id: string): ServiceName | undefined;
  /** Registered applications that this caller may see, with their descriptions. */
  applications(caller: Caller): ReadonlyMap<string, string>;
  /** Id of the account that has an application to itself. */
  ownerOf(app: string): string | undefined;
  /** Durable when it resolves. FORBIDDEN where the name belongs to somebody else. */
  register(caller: Caller, app: string, description: string): Promise<void>;
  forget(app: string): Promise<void>;
  /** What has another name from now on keeps its id: an application with its services, or a service. */
  renamed(kind: 'app' | 'service', from: string, to: string): void;
}

/** What it needs of the loop. */
export interface DeskContext extends OwnershipContext {
  readonly deps: { readonly keys: Pick<Keys, 'fingerprint'>; readonly settings: { readonly location?: string } };
}

export function createOakestraDesk({ keeper, deps, world }: DeskContext, ownership: Ownership): OakestraDesk {
  const { fingerprint } = deps.keys;
  const known = (): Readonly<Record<string, string>> => keeper.now.applications ?? {};
  const ids = (): Readonly<Record<string, string>> => keeper.now.ids ?? {};
  const digest = (text: string): string =>
    createHash('sha256').update(`${fingerprint}\n${text}`).digest('hex').slice(0, 24);
  const idOf = (kind: 'app' | 'service', name: string): string => {
    const key = `${kind}/${name}`;
    const renamed = Object.entries(ids()).find(([, one]) => one === key);
    if (renamed) return renamed[0];
    let id = digest(key);
    // Something else was called so once, and took the id along to its new name.
    for (let again = 1; Object.hasOwn(ids(), id); again += 1) id = digest(`${key}/${again}`);
    return id;
  };
  return {
    app: (name) => idOf('app', name),
    service: (name) => idOf('service', name),
    cluster: digest('cluster'),
    location: deps.settings.location ?? '',
    serviceWith: (id) => [...world.desired.keys()].find((name) => idOf('service', name) === id),
    applications: (caller) => new Map(Object.entries(known()).filter(([app]) => ownership.owns(caller, app))),
    ownerOf: (app) => (Object.hasOwn(keeper.now.owners ?? {}, app) ? keeper.now.owners?.[app] : undefined),
    async register(caller, app, description) {
      const isLimited = caller.role === 'application_provider' || caller.apps;
      const end = isLimited ? ownership.claim(caller, [app]) : undefined;
      keeper.change({ applications: withEntry(known(), app, description) });
      end?.();
      await keeper.saved();
    },
    async forget(app) {
      const gone = (key: string): boolean => {
        const [kind, name = ''] = key.split('/');
        return kind === 'app' ? name === app : appOf(name) === app && !world.desired.has(name);
      };
      keeper.change({
        applications: withEntry(known(), app, undefined),
        ids: Object.fromEntries(Object.entries(ids()).filter(([, key]) => !gone(key))),
      });
      ownership.tidy();
      await keeper.saved();
    },
    renamed(kind, from, to) {
      keeper.change({ ids: { ...ids(), [idOf(kind, from)]: `${kind}/${to}` } });
    },
  };
}
