/** What a reconciler cannot do its work without, and what of it is missing. Nodes are no part of it: they are its work. */
import { type Problem, problem } from '../schemas/problem.ts';
import type { LinkWatch } from './link-watch.ts';
import type { OfficeSeat } from './office.ts';
import type { RecordsKeeper } from './records-keeper.ts';
import type { Sync } from './sync.ts';

/**
 * In words for everybody, since who asks shows no token: no address, no path, no name of a file. All are UNAVAILABLE.
 * `vital`: what the process stands on, also one that stands by. `working`: what it needs besides to run the cluster.
 */
export interface Vitals {
  readonly vital: readonly Problem[];
  readonly working: readonly Problem[];
}

export function vitalsOf(parts: {
  readonly link: Pick<LinkWatch, 'away'>;
  readonly keeper: Pick<RecordsKeeper, 'trouble'>;
  readonly office: Pick<OfficeSeat, 'standsBy'>;
  readonly sync: Pick<Sync, 'unread'>;
}): Vitals {
  const { link, keeper, office, sync } = parts;
  const away = link.away();
  const broker =
    away !== undefined && lacking('broker', `no connection to the broker for ${Math.round(away / 1000)} s`);
  const store = keeper.trouble && lacking('store', `the last change could not be written (${keeper.trouble.code})`);
  const vital = [broker, store].filter((one) => one !== undefined && one !== false);
  // Who waits for its turn reads no source.
  if (office.standsBy())
    return { vital, working: [lacking('office', 'another reconciler runs the cluster, or may run it')] };
  return { vital, working: sync.unread().map(({ name, code }) => neverRead(name, code)) };
}

function neverRead(name: string, code: string | undefined): Problem {
  return lacking('git', `the source ${name} has not been read yet${code === undefined ? '' : ` (${code})`}`);
}

function lacking(subject: 'broker' | 'store' | 'office' | 'git', message: string): Problem {
  const hint = 'oakctl status and the log of the reconciler tell more';
  return problem('UNAVAILABLE', message, { subject, hint, disposition: 'wait' });
}
