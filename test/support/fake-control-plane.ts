/** A control plane that answers what a test gives it, for tests of the API and its client. */
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import type { ClusterEvent, EventPosition } from '../../schemas/cluster-events.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { InstanceView, NodeView, ServiceView } from '../../schemas/views.ts';

/** All answers are empty; what a test gives replaces them. Calls that change something are refused unless given. */
export function fakeControlPlane(given: Partial<ControlPlane> = {}): ControlPlane {
  const unexpected = (): never => {
    throw new Error('this test did not expect the call');
  };
  const refuse = async (): Promise<never> => {
    throw new ProblemError(problem('REFUSED', 'this test did not expect the call'));
  };
  const services = given.services ?? (() => []);
  return {
    cluster: 'test',
    status: () => ({
      cluster: 'test',
      fingerprint: 'ab'.repeat(32),
      version: '0.0.0',
      epoch: 3,
      phase: 'running',
      sources: [],
      services: {
        progressing: 0,
        settled: 0,
        unconfirmed: 0,
        failed: 0,
        rolled_back: 0,
        paused: 0,
        held: 0,
        removing: 0,
        stopped: 0,
        orphaned: 0,
      },
      nodes: { online: 0, suspect: 0, lost: 0, expected: 0, revoked: 0 },
      instances: { wanted: 0, healthy: 0 },
      holds: [],
      overrides: [],
      suspended: [],
      conditions: [],
    }),
    apps: () => [],
    services,
    service: (name) => services().find((one) => one.name === name),
    instances: () => [],
    nodes: () => [],
    node: () => undefined,
    holds: () => [],
    tally: () => ({ tally: { requests: 0, failures: 0, relocated: 0 }, upTime: 0 }),
    why: (subject) => ({ subject, message: 'settled: 1 of 1 healthy', because: [] }),
    deploy: refuse,
    remove: refuse,
    move: refuse,
    replicate: refuse,
    registered: () => undefined,
    addInstance: refuse,
    dropInstance: refuse,
    calculate: (job) => ({ workers: [], job }),
    register: refuse,
    plan: refuse,
    snapshot: refuse,
    approve: refuse,
    sync: refuse,
    history: () => [],
    rollback: refuse,
    unpin: refuse,
    undelete: refuse,
    suspend: refuse,
    resume: refuse,
    createToken: refuse,
    tokens: () => [],
    registries: async () => [],
    login: refuse,
    logout: refuse,
    pullSources: refuse,
    revokeToken: refuse,
    removeNode: refuse,
    keys: () => [],
    rotateKeys: refuse,
    renewCredential: refuse,
    overrides: () => [],
    removeOverride: refuse,
    scale: refuse,
    stop: refuse,
    start: refuse,
    restart: refuse,
    cordon: refuse,
    drain: refuse,
    uncordon: refuse,
    identity: () => ({ cluster: 'test', fingerprint: 'ab'.repeat(32), kid: 'ab', key: '', sig: '' }),
    join: refuse,
    standing: (node) => ({ node }),
    revoke: refuse,
    loadImages: refuse,
    async *logs() {},
    exec: refuse,
    async *events() {},
    figures: unexpected,
    vitals: () => ({ vital: [], working: [] }),
    ...given,
  };
}

/** The same, and whoever wants to know is told what it is asked. */
export function watchControl(control: ControlPlane, onCall: (name: string) => void): ControlPlane {
  const entries = Object.entries(control).map(([name, member]) => {
    if (typeof member !== 'function') return [name, member];
    const call = member as (...args: readonly unknown[]) => unknown;
    const watched = (...args: readonly unknown[]): unknown => {
      onCall(name);
      return call(...args);
    };
    return [name, watched];
  });
  return Object.fromEntries(entries) as ControlPlane;
}

/** The number in a position of events. */
export function seqOf(position: EventPosition): number {
  return typeof position === 'object' ? position.seq : Number(position);
}

export function fakeInstance(name: string): InstanceView {
  const [service = '', slot] = name.split('.instance.');
  return { name, service, slot: Number(slot), status: 'running', healthy: true, addresses: [], restarts: 0 };
}

export function fakeService(name: string): ServiceView {
  return {
    name,
    app: name.split('.').slice(0, 2).join('.'),
    source: 'direct',
    image: 'oakctl/test:1',
    digest: `1:${'0'.repeat(64)}`,
    replicas: 1,
    slots: 1,
    healthy: 1,
    outcome: 'settled',
    message: '1 of 1 healthy',
    holds: [],
    overrides: [],
    instances: [],
  };
}

export function fakeNode(name: string, given: Partial<NodeView> = {}): NodeView {
  return {
    name,
    aliases: [],
    state: 'online',
    listed: false,
    pool: 'default',
    labels: {},
    runtimes: [],
    instances: 0,
    problems: [],
    ...given,
  };
}

export function fakeEvent(seq: number): ClusterEvent {
  return { seq, run: 'run-1', at: 0, kind: 'instance_status', subject: 'cluster', message: `event ${seq}` };
}
