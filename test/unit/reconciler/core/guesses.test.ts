import { describe, expect, it } from 'vitest';
import { createGuesses, houseOf } from '../../../../reconciler/core/guesses.ts';

const hour = 3_600_000;

describe('the limit of guesses', () => {
  it('looks at 60 of 100,000 in an hour, wherever they come from', () => {
    const guesses = createGuesses();
    let looked = 0;
    for (let i = 0; i < 100_000; i += 1)
      if (guesses.take('admin', `10.${i % 250}.${i % 241}.1`, (i * hour) / 100_000) === 0) looked += 1;
    expect(looked).toBeLessThanOrEqual(60);
    expect(looked).toBeGreaterThan(50);
  });

  it('holds in every hour that one may choose', () => {
    const guesses = createGuesses();
    const times: number[] = [];
    for (let now = 0; now < 5 * hour; now += 1000)
      if (guesses.take('admin', `10.0.${(now / 1000) % 251}.1`, now) === 0) times.push(now);
    const inHour = times.map((start) => times.filter((time) => time >= start && time < start + hour).length);
    expect(Math.max(...inHour)).toBeLessThanOrEqual(60);
  });

  it('says how long to wait, and then takes one', () => {
    const guesses = createGuesses();
    for (let i = 0; i < 10; i += 1) expect(guesses.take('admin', `10.0.0.${i}`, 0)).toBe(0);
    const wait = guesses.take('admin', '10.0.0.99', 0);
    expect(wait).toBe(72_000);
    expect(guesses.take('admin', '10.0.0.99', wait)).toBe(0);
  });

  it('leaves an account to its owner while one address guesses at it', () => {
    const guesses = createGuesses();
    let refused = 0;
    for (let now = 0; now < 3 * hour; now += 1000) {
      guesses.take('admin', 'attacker', now);
      if (now % 144_000 !== 0 || now === 0) continue;
      if (guesses.take('admin', 'owner', now) > 0) refused += 1;
      else guesses.giveBack('admin', 'owner');
    }
    expect(refused).toBe(0);
  });

  it('does not grow with the names and addresses that are tried', () => {
    const guesses = createGuesses();
    let looked = 0;
    for (let i = 0; i < 50_000; i += 1) if (guesses.take(`name-${i}`, `address-${i}`, 0) === 0) looked += 1;
    // What does not fit any more shares one bucket.
    expect(looked).toBeLessThanOrEqual(4096 + 10);
    expect(guesses.take('name-60000', 'address-60000', hour)).toBe(0);
  });

  it.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('%s is of the house %s', (address, house) => {
    expect(houseOf(address)).toBe(house);
  });
});
