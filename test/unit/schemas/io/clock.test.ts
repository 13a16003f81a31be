import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createSystemClock, createSystemRandom } from '../../../../schemas/io/clock.ts';

describe('the system clock', () => {
  it('never fires early, in order of due time and then of call', async () => {
    const clock = createSystemClock();
    const fired: string[] = [];
    const early: string[] = [];
    await new Promise<void>((resolve) => {
      const at = (ms: number, name: string): void => {
        const due = clock.now().mono + ms;
        clock.after(ms, () => {
          fired.push(name);
          if (clock.now().mono < due) early.push(name);
          if (fired.length === 5) resolve();
        });
      };
      at(30, 'd');
      at(10, 'a');
      at(20.4, 'c');
      at(10, 'b');
      at(60, 'e');
    });
    expect(fired).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(early).toEqual([]);
  });

  it('does not call what was cancelled, also by a callback before it', async () => {
    const clock = createSystemClock();
    const fired: string[] = [];
    const cancel = clock.after(5, () => fired.push('cancelled'));
    cancel();
    cancel();
    let stopSecond = (): void => undefined;
    await new Promise<void>((resolve) => {
      clock.after(5, () => stopSecond());
      stopSecond = clock.after(5, () => fired.push('second'));
      clock.after(15, resolve);
    });
    expect(fired).toEqual([]);
  });

  it('takes waits that are longer than a Node timer holds', async () => {
    const clock = createSystemClock();
    let fired = false;
    const cancel = clock.after(2 ** 40, () => {
      fired = true;
    });
    await new Promise<void>((resolve) => clock.after(20, resolve));
    cancel();
    expect(fired).toBe(false);
  });
});

describe('randomness', () => {
  it('is in [0, 1) and of the asked length', () => {
    const random = createSystemRandom();
    const numbers = Array.from({ length: 1000 }, () => random.number());
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(new Set(numbers).size).toBe(1000);
    expect(random.bytes(16)).toHaveLength(16);
  });
});

it('a clock that was stopped runs nothing any more, not even what is asked for later or in the turn of the stop', async () => {
  const clock = createSystemClock();
  const ran: string[] = [];
  clock.after(1, () => {
    ran.push('first');
    clock.stop();
  });
  clock.after(1, () => ran.push('second'));
  clock.after(5, () => ran.push('third'));
  await sleep(30);
  clock.after(1, () => ran.push('late'))();
  clock.after(1, () => ran.push('late'));
  await sleep(30);
  expect(ran).toEqual(['first']);
  expect(clock.now().mono).toBeGreaterThan(0);
});
