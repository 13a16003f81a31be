/** Services that ask for more than to run: each world has some of them. */
import type { Wish } from './person.ts';

/** Keeps data, which is never lost and never attached twice. */
const data: Wish = {
  replicas: 2,
  code: 'oakctl/test:1',
  more: { volumes: [{ name: 'data', mount_path: '/data' }] },
};
/** Its data may be left behind on a node that is lost. */
const cache: Wish = {
  replicas: 1,
  code: 'oakctl/test:1',
  more: { volumes: [{ name: 'data', mount_path: '/data', portable: true }] },
};
/** Somebody well serves at any time, whatever becomes of an update. */
const web: Wish = {
  replicas: 2,
  code: 'oakctl/test:1',
  more: {
    healthcheck: { command: ['true'] },
    update: { strategy: 'start_first', settle: '1s', timeout: '60s' },
  },
};
/** Runs once for each version. */
const once: Wish = { replicas: 1, code: 'oakctl/test:1', more: { one_shot: true } };
/** Starts when `once` has been done. */
const after: Wish = { replicas: 1, code: 'oakctl/test:1', more: { depends_on: ['git.default.once.default'] } };
/** Runs every minute, one at a time. */
const tick: Wish = { replicas: 1, code: 'oakctl/test:1', more: { one_shot: true, schedule: '* * * * *' } };
/** As `tick`, and hardly ever: so that the end of a world is quiet. */
export const yearly: Wish = { ...tick, more: { one_shot: true, schedule: '0 0 1 1 *' } };

/** What comes together. */
export const extras: readonly Readonly<Record<string, Wish>>[] = [{ data, cache }, { web }, { once, after }, { tick }];

/** Those that people push other versions of. */
export const updated: ReadonlySet<string> = new Set(['data', 'cache', 'web', 'once']);
/** Those that people do nothing else to. */
export const left: ReadonlySet<string> = new Set(['web', 'once', 'after', 'tick']);
