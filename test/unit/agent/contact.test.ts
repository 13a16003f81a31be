import { expect, test } from 'vitest';
import { createContact } from '../../../agent/contact.ts';
import type { Limit } from '../../../agent/core/memory.ts';
import { createLedger } from '../../../agent/ledger.ts';
import type { Job } from '../../../schemas/messages.ts';
import type { Files } from '../../../schemas/ports.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';
import { container, jobOf, partOf } from './support.ts';

const run = container('app:1');
const key = 'a.b.c.d.instance.0/1.1';

test('a copy that was told to stop, and to run again, runs on no lease from before: another may have had it meanwhile', async () => {
  const clock = createVirtualClock();
  const ledger = createLedger(createMemoryFiles());
  await ledger.load();
  const refused: string[] = [];
  const contact = createContact({
    session: 's',
    boot: 'b',
    ledger,
    clock,
    files: createMemoryFiles(),
    uptime: () => clock.now().mono,
    verify: () => true,
    changed: () => undefined,
    ask: () => undefined,
    refused: (_, why) => void refused.push(why),
    trouble: (found) => expect.fail(found.message),
  });
  let gen = 0;
  const follow = async (want: Job['want']): Promise<void> => {
    const previous = ledger.part();
    gen += 1;
    const job: Job = {
      ...jobOf('a.b.c.d.instance.0', '1.1', run),
      want,
      away: { stop_after: 20_000, exclusive: true },
    };
    await ledger.save(partOf({ epoch: 1, gen, by: 'x' }, [[job, run]]));
    contact.followed(previous);
  };
  const answer = (beat: number): void => {
    const lease = {
      v: 1,
      epoch: 1,
      by: 'x',
      session: 's',
      beat,
      leases: [{ copy: key, ms: 20_000 }],
      kid: 'k',
      sig: 'g',
    };
    contact.take({ topic: 'nodes/n/lease', payload: JSON.stringify(lease), retained: false });
  };
  const limit = () => contact.limits().get(key);

  await follow('run');
  expect(limit()).toBe('stop');
  contact.sent(1);
  contact.sent(2);
  answer(1);
  expect(limit()).toBeUndefined();
  await clock.advance(1_000);
  await follow('stopped');
  await follow('run');
  expect(limit()).toBe('stop');
  // The answer to a beat from before the stop comes late.
  answer(2);
  expect(limit()).toBe('stop');
  contact.sent(3);
  answer(3);
  expect(limit()).toBeUndefined();
  expect(refused).toEqual([]);
  contact.close();
});

test('an agent whose disk does not take it is not lenient at its start: else each start would be', async () => {
  const clock = createVirtualClock();
  const kept = createMemoryFiles();
  const full = problem('FILE_UNWRITABLE', 'the disk is full');
  const start = async (files: Files): Promise<Limit | undefined> => {
    const ledger = createLedger(kept);
    await ledger.load();
    const contact = createContact({
      ...{ session: 's', boot: 'b', ledger, clock, files },
      uptime: () => clock.now().mono,
      verify: () => true,
      changed: () => undefined,
      ask: () => undefined,
      refused: () => undefined,
      trouble: (found) => expect(found).toEqual(full),
    });
    await contact.load();
    contact.close();
    return contact.limits().get(key);
  };
  const ledger = createLedger(kept);
  await ledger.load();
  const away = { stop_after: 20_000, exclusive: true } as const;
  await ledger.save(
    partOf({ epoch: 1, gen: 1, by: 'x' }, [[{ ...jobOf('a.b.c.d.instance.0', '1.1', run), away }, run]]),
  );
  expect(await start({ ...kept, write: () => Promise.reject(new ProblemError(full)) })).toBe('stop');
  expect(await start(kept)).toBe('hold');
  expect(await start(kept)).toBe('stop');
});
