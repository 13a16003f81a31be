import { describe, expect, it } from 'vitest';
import { createEndpoints, type EndpointsDeps } from '../../../agent/endpoints.ts';
import { type Endpoint, type EndpointList, endpointsTopic, nextEra } from '../../../schemas/endpoints.ts';
import { identityText, signMessage } from '../../../schemas/io/signatures.ts';
import type { IdentityAnswer } from '../../../schemas/joining.ts';
import type { Problem } from '../../../schemas/problem.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';
import { createSeededRandom } from '../../support/virtual-clock.ts';

const ours = createMemoryKeys('home');
const theirs = createMemoryKeys('home', 8);
const at = (host: string): Endpoint => ({ api: `http://${host}:10100`, mqtt: `mqtt://${host}:10003` });
const never = new AbortController().signal;

function aList(epoch: number, hosts: readonly string[], keys = ours): EndpointList {
  const message = { v: 1 as const, cluster: 'home', epoch, by: 'me', endpoints: hosts.map(at) };
  return signMessage(keys, endpointsTopic('home'), message);
}

function answerOf(nonce: string, keys = ours, endpoints?: EndpointList): IdentityAnswer {
  const { cluster, fingerprint, kid, publicKey: key } = keys;
  return {
    cluster,
    fingerprint,
    kid,
    key,
    sig: keys.sign(identityText(cluster, nonce)),
    ...(endpoints && { endpoints }),
  };
}

/** An agent that joined at `a`; `there`: who answers at which host. */
function anAgent(there: Readonly<Record<string, (nonce: string) => IdentityAnswer>>, files = createMemoryFiles()) {
  const troubles: Problem[] = [];
  const trusted = { keys: { [ours.kid]: ours.publicKey } };
  const deps: EndpointsDeps = {
    files,
    random: createSeededRandom(1),
    trusted: {
      cluster: 'home',
      get keys() {
        return trusted.keys;
      },
      keyOf: ({ kid }) => (kid === ours.kid ? ours.publicKey : undefined),
    },
    joined: at('a'),
    async ask({ api }, nonce) {
      const answer = there[new URL(api).hostname];
      if (answer) return answer(nonce);
      throw new ProblemError(problem('UNREACHABLE', 'nobody'));
    },
    trouble: (found) => void troubles.push(found),
  };
  const endpoints = createEndpoints(deps);
  /** The hosts of the next attempts; '-': nowhere. */
  const attempts = async (count: number): Promise<string[]> => {
    const hosts: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const next = await endpoints.next(never);
      hosts.push(next ? new URL(next.api).hostname : '-');
    }
    return hosts;
  };
  return { endpoints, attempts, troubles, files, trusted };
}

describe('the endpoints of an agent', () => {
  it('are followed to where the cluster answers, and kept on disk', async () => {
    const { endpoints, attempts, files } = anAgent({ b: answerOf });
    endpoints.take(aList(3, ['a', 'b']));
    expect(await attempts(3)).toEqual(['a', 'a', 'b']);
    endpoints.reached();
    expect(endpoints.current()).toEqual(at('b'));
    await expect.poll(async () => (await files.read('endpoints')) ?? '').toContain('"last"');

    const next = anAgent({}, files);
    await next.endpoints.load();
    expect(next.endpoints.list()?.epoch).toBe(3);
    expect(await next.attempts(3)).toEqual(['b', 'b', '-']);
    expect(await next.attempts(1)).toEqual(['b']);
  });

  it('get no credential where nobody answers, or somebody with another key', async () => {
    const { endpoints, attempts, troubles } = anAgent({ b: (nonce) => answerOf(nonce, theirs) });
    endpoints.take(aList(3, ['b', 'c']));
    expect(await attempts(6)).toEqual(['a', 'a', '-', '-', 'a', '-']);
    expect(troubles.map(({ code }) => code)).toEqual(['SIGNATURE_INVALID', 'SIGNATURE_INVALID']);
  });

  it('do not change by a list that is older, of somebody else, or none at all', async () => {
    const { endpoints } = anAgent({});
    endpoints.take(aList(3, ['b']));
    for (const found of [aList(2, ['c']), aList(9, ['c'], theirs), { ...aList(9, ['c']), by: 'you' }, {}, null]) {
      endpoints.take(found);
      expect(endpoints.list()?.endpoints).toEqual([at('b')]);
    }
  });

  it('are not followed to a reconciler that was replaced by a restored one', async () => {
    const old = (nonce: string) => answerOf(nonce, ours, aList(9, ['a', 'b']));
    const { endpoints, attempts, troubles } = anAgent({ a: old, b: answerOf });
    endpoints.take(aList(3, ['b']));
    expect(await attempts(3)).toEqual(['a', 'a', 'b']);
    endpoints.reached();
    endpoints.take(aList(nextEra(9), ['a', 'b']));
    expect(await attempts(4)).toEqual(['b', 'b', '-', 'b']);
    expect(troubles.map(({ code }) => code)).toEqual(['RIVAL_RECONCILER']);
  });

  it('are not followed to one from before the restore that never had a list', async () => {
    const { endpoints, attempts, troubles } = anAgent({ b: answerOf });
    endpoints.take(aList(nextEra(9), ['b']));
    expect(await attempts(3)).toEqual(['a', 'a', '-']);
    expect(troubles.map(({ code }) => code)).toEqual(['RIVAL_RECONCILER']);
  });

  it('by the word of a key that was given up give way to those of one that counts', async () => {
    const { endpoints, attempts, troubles, trusted } = anAgent({ b: answerOf });
    const now = trusted.keys;
    trusted.keys = { ...now, [theirs.kid]: theirs.publicKey };
    endpoints.take(aList(nextEra(nextEra(9)), ['x'], theirs));
    expect(endpoints.list()?.endpoints).toEqual([at('x')]);
    trusted.keys = now;
    endpoints.take(aList(3, ['b']));
    expect(endpoints.list()?.endpoints).toEqual([at('b')]);
    expect(await attempts(3)).toEqual(['a', 'a', 'b']);
    expect(troubles).toEqual([]);
  });

  it('begin with where it joined when the file is damaged', async () => {
    const files = createMemoryFiles();
    await files.write('endpoints', '{"v":1,"last":{"api":"nothing"}}');
    const { endpoints, attempts } = anAgent({}, files);
    await endpoints.load();
    expect(await attempts(2)).toEqual(['a', 'a']);
  });
});
