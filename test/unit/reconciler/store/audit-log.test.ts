import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditLog } from '../../../../reconciler/store/audit-log.ts';
import type { AuditEntry } from '../../../../schemas/audit.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const entry = (at: number, who = 'ann'): AuditEntry => ({
  ...{ at, who, by: 'login', role: 'admin', address: '::1', action: 'POST /v1/sync', outcome: 'done', status: 200 },
});
const all = () => true;

function open(more: { readonly most?: number; readonly events?: string[] } = {}) {
  const log = (_level: unknown, event: string) => void more.events?.push(event);
  return createAuditLog({ folder: join(folder, 'audit'), log, ...(more.most !== undefined && { most: more.most }) });
}

describe('the audit log', () => {
  it('outlives its process, in order, for its owner only', async () => {
    const before = open();
    for (const at of [1, 2]) before.add(entry(at));
    await before.close();
    const after = open();
    after.add(entry(3, 'eve'));
    expect(await after.read(10, all)).toEqual([entry(1), entry(2), entry(3, 'eve')]);
    expect(await after.read(1, ({ who }) => who === 'ann')).toEqual([entry(2)]);
    expect((await stat(join(folder, 'audit', 'log.jsonl'))).mode & 0o777).toBe(0o600);
    expect(await open().read(10, all)).toHaveLength(3);
  });

  it('has nothing where nothing was done', async () => {
    expect(await open().read(10, all)).toEqual([]);
  });

  it('never grows beyond two files', async () => {
    const most = 2000;
    const log = open({ most });
    for (let at = 1; at <= 100; at++) {
      log.add(entry(at));
      await log.close();
    }
    expect((await readdir(join(folder, 'audit'))).sort()).toEqual(['log.1.jsonl', 'log.jsonl']);
    for (const name of await readdir(join(folder, 'audit')))
      expect((await stat(join(folder, 'audit', name))).size).toBeLessThanOrEqual(most);
    const kept = (await log.read(1000, all)).map(({ at }) => at);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 101 - kept.length + i));
  });

  it('keeps the newest of what waits for a disk that does not answer, within bounds, and says how many went', async () => {
    const seen: unknown[][] = [];
    const log = createAuditLog({ folder: join(folder, 'audit'), log: (...all) => void seen.push(all) });
    // No write comes to its turn in between.
    for (let at = 1; at <= 30_000; at++) log.add(entry(at));
    const kept = await log.read(40_000, all);
    expect(kept.length).toBeLessThanOrEqual(15_000);
    expect(kept.length).toBeGreaterThanOrEqual(10_000);
    expect(kept.at(-1)?.at).toBe(30_000);
    expect(seen).toEqual([['info', 'audit_written_again', { entries: kept.length, lost: 30_000 - kept.length }]]);
  });

  it('loses the line that a crash cut off, and none after it', async () => {
    const before = open();
    before.add(entry(1));
    await before.close();
    await appendFile(join(folder, 'audit', 'log.jsonl'), '{"at":2,"who":"an');
    const after = open();
    after.add(entry(3));
    expect((await after.read(10, all)).map(({ at }) => at)).toEqual([1, 3]);
  });

  it('waits for a disk that takes nothing, and says so once', async () => {
    const events: string[] = [];
    await writeFile(join(folder, 'audit'), 'a file in its place');
    const log = open({ events });
    for (const at of [1, 2]) {
      log.add(entry(at));
      await log.close();
    }
    expect(events).toEqual(['audit_unwritable']);
    await rm(join(folder, 'audit'));
    log.add(entry(3));
    expect((await log.read(10, all)).map(({ at }) => at)).toEqual([1, 2, 3]);
    expect(events).toEqual(['audit_unwritable', 'audit_written_again']);
    expect((await readFile(join(folder, 'audit', 'log.jsonl'), 'utf8')).split('\n')).toHaveLength(4);
  });

  it('tries a disk again when somebody reads it, and at the end', async () => {
    for (const at of [1, 2]) {
      await rm(join(folder, 'audit'), { recursive: true, force: true });
      await writeFile(join(folder, 'audit'), 'a file in its place');
      const log = open();
      log.add(entry(at));
      await log.close();
      await rm(join(folder, 'audit'));
      const found = at === 1 ? await log.read(10, all) : await log.close().then(() => open().read(10, all));
      expect(found).toEqual([entry(at)]);
    }
  });

  it('is read without a gap while the files take turns', async () => {
    const log = open({ most: 2000 });
    const reads: Promise<readonly AuditEntry[]>[] = [];
    for (let at = 1; at <= 300; at++) {
      log.add(entry(at));
      reads.push(log.read(1000, all));
      if (at % 10 === 0) await log.close();
    }
    for (const [before, found] of (await Promise.all(reads)).entries()) {
      const [first = 0] = found.map(({ at }) => at);
      expect(found.map(({ at }) => at)).toEqual(found.map((_, i) => first + i));
      expect(first + found.length).toBeGreaterThan(before + 1);
    }
  });
});
