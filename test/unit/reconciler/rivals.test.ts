import { describe, expect, it } from 'vitest';
import { isOutOfReach, isReplacedBy, yieldsTo } from '../../../reconciler/core/rivals.ts';
import { createRivals, refuseReplaced } from '../../../reconciler/rivals.ts';
import { type EndpointList, endpointsTopic, eraOf, nextEra } from '../../../schemas/endpoints.ts';
import { identityText, signMessage } from '../../../schemas/io/signatures.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts';

const keys = createMemoryKeys('home');

/** Another reconciler, at http://b:1. */
function aRival(epoch: number, { by = 'b', key = keys }: { by?: string; key?: typeof keys } = {}) {
  const list: EndpointList = signMessage(key, endpointsTopic('home'), {
    v: 1 as const,
    cluster: 'home',
    epoch,
    by,
    endpoints: [],
  });
  return {
    apis: ['http://b:1', 'http://gone:1'],
    async ask(api: string, nonce: string) {
      if (api === 'http://gone:1') throw new ProblemError(problem('UNREACHABLE', 'nobody'));
      const { cluster, fingerprint, kid, publicKey } = key;
      return {
        cluster,
        fingerprint,
        kid,
        key: publicKey,
        sig: key.sign(identityText(cluster, nonce)),
        endpoints: list,
      };
    },
  };
}

describe('two reconcilers of one cluster', () => {
  it('never both go on, and never both end', () => {
    const reigns = [1, 2, nextEra(2)].flatMap((epoch) => ['x', 'y'].map((by) => ({ epoch, by })));
    for (const a of reigns) {
      for (const b of reigns) if (a !== b) expect(yieldsTo(a, b)).not.toBe(yieldsTo(b, a));
    }
  });

  it('count in eras: a restored one is above all that the other will ever count up to', () => {
    expect(eraOf(nextEra(0))).toBe(1);
    expect(nextEra(nextEra(7) + 3)).toBe(2_000_000);
    expect(isReplacedBy({ epoch: 999_999 }, { epoch: nextEra(7) })).toBe(true);
    expect(isReplacedBy({ epoch: 7 }, { epoch: 900 })).toBe(false);
    // Counting up to what a node says must not begin an era.
    expect(isOutOfReach({ epoch: 7 }, { epoch: 999_998 })).toBe(false);
    expect(isOutOfReach({ epoch: 7 }, { epoch: 999_999 })).toBe(true);
    expect(isOutOfReach({ epoch: nextEra(7) }, { epoch: 999_999 })).toBe(false);
  });
});

describe('a start', () => {
  const start = (epoch: number, peers: ReturnType<typeof aRival>) =>
    refuseReplaced({ peers, keys, random: createSeededRandom(1) }, epoch, new AbortController().signal);

  it('is refused where these records were restored elsewhere', async () => {
    await expect(start(5, aRival(nextEra(5) + 1))).rejects.toThrow(/RIVAL_RECONCILER.*was restored.*http:\/\/b:1/);
  });

  it('goes on beside an older one, or a stranger', async () => {
    await expect(start(5, aRival(5))).resolves.toBeUndefined();
    await expect(start(5, aRival(99, { key: createMemoryKeys('home', 9) }))).resolves.toBeUndefined();
  });
});

describe('a running reconciler', () => {
  async function look(own: number, peers: ReturnType<typeof aRival>) {
    const clock = createVirtualClock();
    const ends: string[] = [];
    const rivals = createRivals({
      ...{ peers, keys, clock, random: createSeededRandom(1) },
      own: () => ({ epoch: own, by: 'a' }),
      fatal: (error) => void ends.push(error.problem.code),
    });
    rivals.start();
    await clock.advance(20_000);
    rivals.stop();
    return { ends, shown: rivals.conditions().map(({ code }) => code) };
  }

  it('ends when one with a higher epoch answers elsewhere', async () => {
    expect((await look(5, aRival(6))).ends[0]).toBe('RIVAL_RECONCILER');
  });

  it('shows one that should end, and is not afraid of itself or of strangers', async () => {
    expect(await look(7, aRival(6))).toEqual({ ends: [], shown: ['RIVAL_RECONCILER'] });
    expect(await look(5, aRival(6, { by: 'a' }))).toEqual({ ends: [], shown: [] });
    expect(await look(5, aRival(6, { key: createMemoryKeys('home', 9) }))).toEqual({ ends: [], shown: [] });
  });
});
