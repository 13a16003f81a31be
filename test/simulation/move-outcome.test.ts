/** What `oakctl move` and `replicate` wait for: never called done before it is, on the real loops. */
import { afterEach, describe, expect, it } from 'vitest';
import { judge, type Verdict } from '../../cli/services/outcome.ts';
import { checkPlaced } from '../../cli/services/placed.ts';
import type { SlotAnswer } from '../../schemas/api.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

const name = 'shop.default.web.default';
let cluster: MemoryCluster;
afterEach(() => cluster.close());

const text = descriptor([{ microservice_name: 'web' }]);
const view = () => cluster.reconciler.control.services().find((one) => one.name === name);
const settled = () => cluster.clock.until(() => view()?.outcome === 'settled', 120_000, 'web settled');
/** The verdict when there is one, as the command would see it from its first look on. */
const verdictOf = async (answer: SlotAnswer): Promise<Verdict> => {
  const wanted = { name, digest: view()?.digest ?? '' };
  const now = () => checkPlaced(judge(wanted, view()), answer).verdict;
  const first = now();
  expect(first).toBe('waiting');
  await cluster.clock.until(() => now() !== 'waiting', 600_000, 'a verdict');
  return now();
};
const nodeOf = (slot: number) => view()?.instances.find((one) => one.slot === slot)?.node ?? '';
const elsewhere = () => {
  const found = cluster.nodes.find((node) => node.name !== nodeOf(0));
  if (!found) throw new Error('no other node');
  return found;
};

describe.each(['direct', 'git'])('an instance that %s asked for', (source) => {
  const begin = async (): Promise<void> => {
    cluster = await createMemoryCluster({ workers: 3 });
    if (source === 'git') await cluster.push({ 'a.yaml': text });
    else await cluster.reconciler.control.deploy({ documents: [{ file: 'a.yaml', text }] });
    await settled();
  };

  it('is moved once it is well there', async () => {
    await begin();
    const to = elsewhere();
    const answer = await cluster.reconciler.control.move(`${name}.instance.0`, to.id, 'ann');
    expect(await verdictOf(answer)).toBe('settled');
    expect(nodeOf(0)).toBe(to.name);
    expect(cluster.running()).toHaveLength(1);
  });

  it('has not moved when it fails there, and goes on where it was', async () => {
    await begin();
    const [from, to] = [nodeOf(0), elsewhere()];
    to.runtime.script('start', 'web', { fail: 'START_FAILED' });
    const answer = await cluster.reconciler.control.move(`${name}.instance.0`, to.id, 'ann');
    expect(await verdictOf(answer)).toBe('failed');
    expect(nodeOf(0)).toBe(from);
  });

  it('is replicated once the new one is well', async () => {
    await begin();
    const answer = await cluster.reconciler.control.replicate(`${name}.instance.0`, undefined, 'ann');
    expect(await verdictOf(answer)).toBe('settled');
    expect(cluster.running()).toHaveLength(2);
  });
});
