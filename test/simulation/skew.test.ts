import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentDeps } from '../../agent/ports.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { settled, holds, node } = tell(() => cluster);
/** Versions of the wire that agents speak, and what they call themselves, by name; others are as they are. */
const wire = new Map<string, number>();
const called = new Map<string, string>();

/** The agent as another version would be: what it says carries that. */
function other(deps: AgentDeps, name: string): AgentDeps {
  const publish: AgentDeps['bus']['publish'] = (topic, payload, options) => {
    const v = wire.get(name);
    const message = v === undefined || payload === '' ? payload : JSON.stringify({ ...JSON.parse(payload), v });
    deps.bus.publish(topic, message, options);
  };
  const version = called.get(name) ?? deps.profile.version;
  return { ...deps, bus: { ...deps.bus, publish }, profile: { ...deps.profile, version } };
}

beforeEach(() => {
  wire.clear();
  called.clear();
});
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

const conditions = () => cluster.reconciler.control.status().conditions.filter(({ code }) => code === 'VERSION_SKEW');
const view = (name: string) => cluster.reconciler.control.nodes().find((one) => one.name === name);

describe('an agent that speaks another version of the wire', () => {
  it('is not taken for lost: what runs there stays, nothing new comes, and everybody is told; then all is as before', async () => {
    cluster = await createMemoryCluster({ workers: 2, wiring: { agent: (deps, { name }) => other(deps, name) } });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 4 }]) });
    await settled('web');
    const before = cluster.handles();
    const { name } = view(cluster.reconciler.control.nodes()[0]?.name ?? '') ?? { name: '' };
    wire.set(name, 2);
    await cluster.clock.advance(600_000);
    expect(cluster.handles()).toEqual(before);
    expect(view(name)).toMatchObject({ state: 'online', problems: [{ code: 'VERSION_SKEW' }] });
    expect(conditions()).toMatchObject([{ subject: `node/${name}`, hint: expect.stringContaining('this reconciler') }]);
    const direct = { constraints: [{ type: 'direct', node: name }] };
    await cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas: 4 }]),
      'more.yaml': descriptor([{ microservice_name: 'more', ...direct }], 'more'),
    });
    await cluster.clock.advance(60_000);
    expect(holds()).toContain('VERSION_SKEW');
    expect(cluster.handles()).toEqual(before);

    wire.delete(name);
    await cluster.clock.until(() => view(name)?.problems.length === 0, 120_000, 'understood again');
    await cluster.clock.until(() => cluster.handles().size === 5, 120_000, 'the new one');
    expect(conditions()).toEqual([]);
    for (const [instance, handle] of before) expect(cluster.handles().get(instance)).toBe(handle);
  });

  it('keeps what it runs when the reconciler starts anew meanwhile', async () => {
    cluster = await createMemoryCluster({ workers: 1, wiring: { agent: (deps, { name }) => other(deps, name) } });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2 }]) });
    await settled('web');
    const before = cluster.handles();
    wire.set(node(0).name, 2);
    await cluster.restartReconciler();
    await cluster.clock.advance(600_000);
    expect(cluster.handles()).toEqual(before);
    wire.clear();
    await settled('web');
    expect(cluster.handles()).toEqual(before);
  });
});

it('agents of the version before are shown as such, and take everything', async () => {
  called.set('worker-1', '0.0.9');
  cluster = await createMemoryCluster({ workers: 2, wiring: { agent: (deps, { name }) => other(deps, name) } });
  await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 4 }]) });
  await settled('web');
  const old = cluster.reconciler.control.nodes().filter(({ skew }) => skew === 'older');
  expect(old).toMatchObject([{ version: '0.0.9', instances: 2 }]);
  expect(conditions()).toMatchObject([
    { severity: 'warning', message: expect.stringContaining('1 agent is of another') },
  ]);
});
