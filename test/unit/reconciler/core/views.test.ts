import { beforeEach, describe, expect, it } from 'vitest';
import {
  appViews,
  clusterCounts,
  holdViews,
  instanceViews,
  nodeCounts,
  nodeView,
  nodeViews,
  serviceViews,
  type ViewInput,
} from '../../../../reconciler/core/views.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import type { Hold } from '../../../../schemas/status.ts';
import { aNodeRecord, aPolicy, information } from '../../../support/builders.ts';
import { ago, createViewWorld, type ViewWorld, v1, v2, web } from '../../../support/view-world.ts';

let c: ViewWorld;

beforeEach(() => {
  c = createViewWorld();
});

describe('instances', () => {
  it('carry what their agent says', () => {
    c.want([0]);
    c.copy(0, { report: { addresses: ['10.0.0.1:80'], handle: 'c1', restarts: 2 } });
    expect(instanceViews(c.input())).toEqual([
      {
        name: `${web}.instance.0`,
        service: web,
        slot: 0,
        copy: '3.1',
        node: 'pi1',
        want: 'run',
        status: 'running',
        healthy: true,
        digest: v2,
        age: 60_000,
        seen: 1_000,
        addresses: ['10.0.0.1:80'],
        handle: 'c1',
        restarts: 2,
      },
    ]);
  });

  it('believe an agent whose ledger was not read yet', () => {
    c.want([0]);
    c.node(1, { adopted: false });
    c.copy(0, { unpromised: true });
    expect(instanceViews(c.input())[0]).toMatchObject({ want: 'run', healthy: true });
    c.node(1);
    expect(instanceViews(c.input())[0]).toMatchObject({ want: 'stopped', healthy: false });
  });

  it('prefer the copy that is wanted, then the younger one', () => {
    c.copy(0, { id: '3.10', want: 'stopped', digest: v1 });
    c.copy(0, { id: '3.9', status: 'pulling' });
    c.copy(0, { id: '3.8', status: 'pulling' });
    expect(instanceViews(c.input())).toMatchObject([{ copy: '3.9' }]);
  });
});

describe('applications', () => {
  it('sum their services, and are as bad as the worst', () => {
    const named = (name: string, given: object) => ({ ...c.service(), name, ...given });
    c.want([0]);
    c.copy(0);
    const apps = appViews([
      named('a.b.c.d', { app: 'a.b', outcome: 'settled', source: 'direct' }),
      named('a.b.e.d', { app: 'a.b', outcome: 'failed', healthy: 0 }),
      named('z.b.c.d', { app: 'z.b' }),
    ]);
    expect(apps).toEqual([
      { name: 'a.b', source: 'direct, main', services: 2, healthy: 1, instances: 2, outcome: 'failed' },
      { name: 'z.b', source: 'main', services: 1, healthy: 1, instances: 1, outcome: 'settled' },
    ]);
  });
});

describe('nodes', () => {
  it('join what both sides say', () => {
    c.world.nodes.clear();
    c.node(1, {
      aliases: ['kitchen-pi'],
      listing: { name: 'kitchen-pi', labels: { room: 'hall' }, pool: 'edge', capacity: { memory: 512 } },
      information: information(1, 1, {
        labels: { room: 'kitchen', disk: 'ssd' },
        problems: [{ code: 'RUNTIME_UNAVAILABLE', message: 'docker is silent' }],
      }),
    });
    c.world.reserved.set('node1', {
      memory: 256,
      vcpus: 1.5,
      vgpus: 0,
      storage: 0,
      bandwidth_in: 0,
      bandwidth_out: 0,
      copies: 0,
      ports: new Map(),
    });
    expect(nodeViews(c.input())).toEqual([
      {
        name: 'pi1',
        id: 'node1',
        aliases: ['kitchen-pi'],
        state: 'online',
        listed: true,
        ip: '10.0.0.1',
        pool: 'edge',
        labels: { room: 'hall', disk: 'ssd' },
        capacity: { cpu: 4, memory: 512 },
        used: { cpu: 1.5, memory: 256 },
        usage: { cpu: 5, memory: 20 },
        runtimes: ['docker', 'process'],
        arch: 'x64',
        version: '0.1.0',
        instances: 0,
        seen: 1_000,
        problems: [{ code: 'RUNTIME_UNAVAILABLE', message: 'docker is silent' }],
      },
    ]);
  });

  it('are online, suspect, lost, expected or revoked', () => {
    c.silence(2, 13_000);
    c.silence(3, 60_000);
    c.world.expected.set('attic', { name: 'attic', labels: {}, cordon: true });
    const revoked = { id: 'n9', name: 'pi9', ordinal: 9, serial: 1, joined: 0 as Wall, revoked: 1 as Wall };
    const views = nodeViews(c.input({ records: { nodes: { n9: revoked } } }));
    expect(views.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'attic expected',
      'pi1 online',
      'pi2 suspect',
      'pi3 lost',
      'pi9 revoked',
    ]);
    expect(views[0]).toMatchObject({ listed: true, cordoned: { cause: 'nodes.yaml' } });
  });

  it('say why nothing new goes there', () => {
    const causes = (given: Partial<ViewInput>) => nodeViews(c.input(given)).map(({ cordoned }) => cordoned?.cause);
    c.node(1, { record: aNodeRecord(1, { cordon: { cause: 'by hand' } }) });
    c.node(2, { listing: { name: 'pi2', labels: {} } });
    expect(causes({})).toEqual(['by hand', undefined, undefined]);
    expect(causes({ policy: aPolicy({ undeclared: 'refuse' }) })).toEqual([
      'by hand',
      undefined,
      'it is not in nodes.yaml',
    ]);
  });

  it('say that they spoke and have yet to report: nothing new goes there before', () => {
    c.node(1, { stale: true });
    expect(nodeViews(c.input())[0]).toMatchObject({ state: 'online', problems: [{ code: 'NOT_REPORTED' }] });
    c.silence(1, 60_000);
    expect(nodeViews(c.input())[0]).toMatchObject({ state: 'lost', problems: [] });
  });

  it('say that they said goodbye, and that their ledger is unread', () => {
    c.node(1, { gone: { at: ago(3_000), reason: 'shutdown' }, adopted: false });
    expect(nodeViews(c.input())[0]).toMatchObject({
      state: 'suspect',
      problems: [
        { code: 'GONE', message: 'its connection ended 3 s ago: shutdown' },
        { code: 'LEDGER_UNREAD', message: expect.any(String) },
      ],
    });
  });
});

describe('the cluster', () => {
  it('counts', () => {
    c.want([0, 1]);
    c.copy(0);
    c.silence(3, 60_000);
    const counts = clusterCounts(serviceViews(c.input()), nodeCounts(c.input()));
    expect(counts).toMatchObject({
      services: { progressing: 1, settled: 0 },
      nodes: { online: 2, lost: 1 },
      instances: { wanted: 2, healthy: 1 },
    });
  });

  it('shows one node by its whole name or its id, as the list does', () => {
    const all = nodeViews(c.input());
    for (const view of all) {
      expect(nodeView(c.input(), view.name)).toEqual(view);
      expect(nodeView(c.input(), view.id ?? '')).toEqual(view);
    }
    expect(nodeView(c.input(), all[0]?.name.slice(0, -1) ?? '')).toBeUndefined();
  });

  it('lists a hold once, whoever it is about', () => {
    const guard: Hold = { id: 'h1', code: 'REMOVAL_GUARD', subject: 'source/main', message: 'too many' };
    const waits: Hold = { code: 'NO_NODE', subject: web, message: 'no node' };
    c.world.held.set('a.b.c.d', guard);
    c.world.held.set('a.b.e.d', guard);
    c.plan([waits, guard]);
    expect(holdViews(c.input())).toEqual([guard, waits]);
  });
});
