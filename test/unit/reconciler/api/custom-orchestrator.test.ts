import { describe, expect, it } from 'vitest';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import { parseClusterSettings } from '../../../../schemas/settings.ts';
import type { NodeView } from '../../../../schemas/views.ts';
import { fakeNode } from '../../../support/fake-control-plane.ts';
import { type Answer, injectedApi } from '../../../support/injected-api.ts';

/** Two nodes; what is asked for is carried out. */
function fleet() {
  const nodes = new Map<string, NodeView>(
    ['pi1', 'pi2'].map((name) => [name, fakeNode(name, { id: `id-${name}`, aliases: [`${name}.lan`] })]),
  );
  let refused: string | undefined;
  const named = (id: string): NodeView => {
    if (id === refused) throw new ProblemError(problem('REFUSED', 'the disk is full'));
    return nodes.get(id.replace('id-', '')) ?? fakeNode(id);
  };
  const refuse = (id: string | undefined): void => {
    refused = id;
  };
  const api = injectedApi({
    nodes: () => [...nodes.values()],
    async cordon(id, { reason, actor }) {
      const node = named(id);
      nodes.set(node.name, { ...node, cordoned: { cause: 'c', actor, ...(reason !== undefined && { reason }) } });
      return { node: node.name, changed: true };
    },
    async uncordon(id) {
      const { cordoned: _over, ...node } = named(id);
      nodes.set(node.name, node);
      return { node: node.name, changed: true };
    },
  });
  const cordoned = (): string[] => [...nodes.values()].filter((node) => node.cordoned).map(({ name }) => name);
  const taint = (...hosts: readonly string[]): Promise<Answer> =>
    api.post('/api/v1/update_taints', Object.fromEntries(hosts.map((host) => [host, 'NoSchedule'])));
  return { api, nodes, cordoned, taint, refuse };
}

describe("the custom orchestrator's API", () => {
  it('answers whoever looks whether it is there, and does nothing without a token', async () => {
    const { api, cordoned } = fleet();
    expect((await api.get('/', { authorization: '' })).text).toBe('OK\n');
    const body = { pi1: 'NoSchedule' };
    expect((await api.request('POST', '/api/v1/update_taints', body, { authorization: '' })).status).toBe(401);
    expect(cordoned()).toEqual([]);
  });

  it('says which hosts are nodes', async () => {
    const { api } = fleet();
    const ips = { pi1: '10.0.0.1', 'pi2.lan': '10.0.0.2', pi3: '10.0.0.3' };
    const { status, text } = await api.post('/api/v1/load_nodes', {
      ips,
      orchestrator: { pi1: 'docker' },
      resources: {},
    });
    expect([status, text]).toEqual([200, '2 of 3 nodes are known; there is no node pi3\n']);
    expect((await api.post('/api/v1/load_nodes', { nothing: 1 })).status).toBe(400);
  });

  it('cordons what is tainted, and frees it when it is not in the list any more', async () => {
    const { cordoned, taint } = fleet();
    expect((await taint('pi1', 'pi2.lan')).text).toBe('2 tainted, 0 free again\n');
    expect(cordoned()).toEqual(['pi1', 'pi2']);
    expect((await taint('pi1', 'pi2.lan')).text).toBe('0 tainted, 0 free again\n');
    expect((await taint('pi2')).text).toBe('0 tainted, 1 free again\n');
    expect(cordoned()).toEqual(['pi2']);
    await taint();
    expect(cordoned()).toEqual([]);
  });

  it('takes whole names, ids and addresses, and no node for another whose name begins so', async () => {
    const { nodes, cordoned, taint } = fleet();
    nodes.set('pi10', fakeNode('pi10', { id: 'id-pi10', ip: '10.0.0.10' }));
    nodes.delete('pi1');
    expect((await taint('pi1')).status).toBe(404);
    expect((await taint('')).status).toBe(404);
    expect(cordoned()).toEqual([]);
    expect((await taint('10.0.0.10', 'id-pi2')).text).toBe('2 tainted, 0 free again\n');
    nodes.set('pi11', fakeNode('pi11', { id: 'id-pi11', ip: '10.0.0.10' }));
    expect((await taint('10.0.0.10')).status).toBe(404);
    expect(cordoned()).toEqual(['pi2', 'pi10']);
  });

  it('never frees what a person cordoned', async () => {
    const { nodes, cordoned, taint } = fleet();
    nodes.set('pi1', {
      ...fakeNode('pi1', { id: 'id-pi1' }),
      cordoned: { cause: 'by ann', actor: 'ann', reason: 'disk' },
    });
    await taint('pi1');
    await taint();
    expect(cordoned()).toEqual(['pi1']);
    expect(nodes.get('pi1')?.cordoned?.reason).toBe('disk');
  });

  it('does nothing on the word of a list with a host that nobody knows', async () => {
    const { cordoned, taint } = fleet();
    await taint('pi1');
    const { status, text } = await taint('pi2', 'pi9');
    expect(status).toBe(404);
    expect(text).toContain('pi9');
    expect(cordoned()).toEqual(['pi1']);
    expect((await taint('pi2')).status).toBe(200);
    expect(cordoned()).toEqual(['pi2']);
  });

  it('undoes what it did when the next thing is refused', async () => {
    const { nodes, cordoned, taint, refuse } = fleet();
    nodes.set('pi3', fakeNode('pi3', { id: 'id-pi3' }));
    await taint('pi1');
    for (const id of ['id-pi3', 'id-pi1']) {
      refuse(id);
      expect((await taint('pi2', 'pi3')).status).toBe(409);
      expect(cordoned()).toEqual(['pi1']);
    }
    refuse(undefined);
    expect((await taint('pi2', 'pi3')).text).toBe('2 tainted, 1 free again\n');
  });

  it.each([[{ pi1: 'NoExecute' }], [[]], [{ pi1: 1 }]])('refuses %j', async (body) => {
    const { api } = fleet();
    expect((await api.post('/api/v1/update_taints', body)).status).toBe(400);
  });
});

it('has a port that is a setting of the cluster', () => {
  const of = (compat: string) => parseClusterSettings(`cluster: test\ncompat: ${compat}`, 'cluster.yaml').settings;
  expect(of('{ mycluster: {} }')?.custom_orchestrator).toBeUndefined();
  expect(of('{ custom_orchestrator: {} }')?.custom_orchestrator).toBe(9999);
  expect(of('{ custom_orchestrator: { port: 9998 } }')?.custom_orchestrator).toBe(9998);
  expect(of('{ custom_orchestrator: { port: 0 } }')).toBeUndefined();
});
