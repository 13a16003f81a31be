import { describe, expect, it } from 'vitest';
import { definitionOf, descriptorOf, pythonDuration, stateOf, statsOf } from '../../../../reconciler/core/mycluster.ts';
import { parseDescriptor } from '../../../../schemas/descriptor.ts';
import type { CopyView, InstanceView, ServiceView } from '../../../../schemas/views.ts';
import { fakeInstance, fakeNode, fakeService } from '../../../support/fake-control-plane.ts';

const hello = 'mycluster.default.hello-world.default';
const image = 'crccheck/hello-world';

function instance(slot: number, node: string, given: Partial<InstanceView> = {}): InstanceView {
  return { ...fakeInstance(`${hello}.instance.${slot}`), node, ...given };
}
const service = (given: Partial<ServiceView> = {}): ServiceView => ({ ...fakeService(hello), image, ...given });
const worker = (name: string, given: object = {}) => fakeNode(name, { id: name, ...given });

describe('the state of a cluster for MyCluster', () => {
  it('is as its manual prints it', () => {
    const workers = ['test_worker_1', 'test_worker_2', 'test_worker_3', 'test_worker_4'].map((name) => worker(name));
    const instances = [0, 1, 2].map((slot) => instance(slot, `test_worker_${slot + 1}`));
    const services = [service({ replicas: 3, slots: 3, instances, updated: 1_559_685_228_123 })];
    const one = [{ image, numOfRunningContainers: 1 }];
    expect(stateOf('test', workers, services)).toEqual({
      'cluster.name': 'test',
      'cluster.numOfWorkers': 4,
      'cluster.workers': [
        { worker: 'test_worker_1', serviceInstances: one },
        { worker: 'test_worker_2', serviceInstances: one },
        { worker: 'test_worker_3', serviceInstances: one },
        { worker: 'test_worker_4', serviceInstances: [] },
      ],
      'cluster.servicesDef': [{ service: 'hello-world', image, replicas: 3, last_updated: 1_559_685_228 }],
    });
  });

  it('counts what runs, old and new side by side, by image; not what waits, ended or is on a lost worker', () => {
    const old: CopyView = { ...instance(0, 'a'), status: 'running' };
    const instances = [
      instance(0, 'a', { others: [old] }),
      instance(1, 'a', { status: 'unhealthy' }),
      instance(2, 'a', { status: 'crash_loop' }),
      instance(3, 'b', { status: 'lost' }),
    ];
    const beside = { ...fakeService('shop.prod.web.default'), image: 'a.registry:5000/web:1.2' };
    const other = { ...beside, instances: [{ ...fakeInstance('shop.prod.web.default.instance.0'), node: 'a' }] };
    const nodes = [worker('a'), worker('b', { state: 'lost' }), fakeNode('c', { state: 'expected' })];
    const services = [service({ instances }), other];
    const state = stateOf('test', nodes, services);
    expect(state['cluster.workers']).toEqual([
      {
        worker: 'a',
        serviceInstances: [
          { image: 'a.registry:5000/web:1.2', numOfRunningContainers: 1 },
          { image, numOfRunningContainers: 3 },
        ],
      },
      { worker: 'b', serviceInstances: [] },
    ]);
    expect(state['cluster.servicesDef'].map(({ service }) => service)).toEqual([
      'hello-world',
      'shop.prod.web.default',
    ]);
    const tally = { requests: 2, failures: 1, relocated: 1 };
    expect(statsOf(tally, services, 225_060)).toEqual({
      'cluster.upTime': '0:03:45.060000',
      'services.totalOfRequests': 2,
      'services.totalOfContainers': 4,
      'workers.failures': 1,
      'containers.relocated': 1,
    });
  });

  it('shows what is being removed no more', () => {
    expect(stateOf('test', [], [service({ outcome: 'removing' })])['cluster.servicesDef']).toEqual([]);
  });
});

describe('a service that was posted', () => {
  it.each([0, 1, 3])('is a descriptor like any other, with %d replicas', (replicas) => {
    const { services, problems } = parseDescriptor(
      descriptorOf({ service: 'hello-world', image, replicas }),
      'a request',
      { limits: 'none' },
    );
    expect(problems).toEqual([]);
    expect(services.map(({ spec }) => [spec.name, spec.run.code, spec.replicas])).toEqual([[hello, image, replicas]]);
    expect(definitionOf(service({ replicas }))).toMatchObject({ service: 'hello-world', image, replicas });
  });
});

describe('a duration as Python writes it', () => {
  it.each([
    [0, '0:00:00'],
    [225_060.206, '0:03:45.060206'],
    [3_600_000, '1:00:00'],
    [86_400_000 + 7_200_000, '1 day, 2:00:00'],
    [3 * 86_400_000 + 1.5, '3 days, 0:00:00.001500'],
  ])('%d ms is %s', (ms, text) => {
    expect(pythonDuration(ms)).toBe(text);
  });
});
