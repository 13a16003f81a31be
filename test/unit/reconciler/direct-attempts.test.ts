import { expect, it } from 'vitest';
import type { Seats } from '../../../reconciler/core/deviations.ts';
import { type DirectRecord, emptyRecords } from '../../../reconciler/core/records.ts';
import { createDirectAttempts } from '../../../reconciler/direct-attempts.ts';
import { openRecords } from '../../../reconciler/records-keeper.ts';
import { aService } from '../../support/builders.ts';

const name = 'shop.default.web.default';
const recordOf = (more: Partial<DirectRecord>): DirectRecord => ({
  spec: aService(),
  slots: [0],
  counter: 1,
  at: 0 as DirectRecord['at'],
  actor: 'ann',
  ...more,
});
const seatOn = (to: string): Seats => ({ 0: { to, keep: true } });
const inherit = (): Seats => seatOn('heir');

async function aKeeper(record: DirectRecord) {
  const keeper = await openRecords({ load: () => Promise.resolve(emptyRecords), save: () => Promise.resolve() });
  keeper.change({ direct: { [name]: record } });
  return keeper;
}

it('a removal that is refused while its node gets an heir has its place with the heir', async () => {
  const former = recordOf({ seats: seatOn('old') });
  const keeper = await aKeeper(former);
  const attempts = createDirectAttempts({ keeper });
  const none = { rollout: undefined, formerRollout: undefined };
  const removal = attempts.begin({ name, record: undefined, former, ...none });
  keeper.change({ direct: {} });
  expect(attempts.names()).toEqual([name]);
  attempts.reseat(name, inherit);
  expect(keeper.now.direct).toEqual({});
  attempts.refuse(removal);
  expect(keeper.now.direct[name]).toEqual({ ...former, seats: inherit() });
});

it('what is written while its node gets an heir is in force with the heir, and told from what git took over', async () => {
  const former = recordOf({});
  const record = recordOf({ seats: seatOn('old'), actor: 'bob' });
  const keeper = await aKeeper(record);
  const attempts = createDirectAttempts({ keeper });
  const asked = { name, record, former, rollout: undefined, formerRollout: undefined };
  const first = attempts.begin(asked);
  attempts.reseat(name, inherit);
  expect(keeper.now.direct[name]).toEqual({ ...record, seats: inherit() });
  expect(attempts.end(first)).toBe(true);
  expect(first.record).toBe(keeper.now.direct[name]);
  const second = attempts.begin({ ...asked, record: first.record });
  keeper.change({ direct: {} });
  expect(attempts.end(second)).toBe(false);
});
