/** Nodes and operators of the seeds' wire on the memory broker: they say what seed 000 has them say, and nothing else. */
import type { PlainControl } from '../../schemas/seed.ts';
import { operatorTopic, topic } from '../../schemas/topics.ts';
import type { MemoryCluster } from './memory-cluster.ts';

export interface SeedNode {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  /** Controls as they came, oldest first. */
  readonly heard: PlainControl[];
  /** `command name` of what came since it was last asked. */
  news(): string[];
  /** Beats every 5 s from now on. */
  begin(): void;
  silence(): void;
  /** Registers again, as after a reboot. */
  register(): Promise<void>;
}

/** Registers a seed node with a token of its own and connects it. `id`: what it asks for. */
export async function joinSeed(cluster: MemoryCluster, name: string, id = ''): Promise<SeedNode> {
  const { token } = await cluster.reconciler.control.createToken({});
  const request = { id, name, ip: '10.0.0.9', port: 3_000 };
  const answer = await cluster.reconciler.control.register(request, token);
  const bus = cluster.broker.client(answer.id, { kind: 'node', id: answer.id });
  const heard: PlainControl[] = [];
  let told = 0;
  let beating = false;
  const beat = (): void => {
    if (!beating) return;
    const payload = JSON.stringify({ cpu: '12.5', memory: 40 });
    bus.publish(topic(answer.id, 'information'), payload, { qos: 0, retain: false });
    cluster.clock.after(5_000, beat);
  };
  bus.open(
    { subscribe: [{ filter: topic(answer.id, 'controls'), qos: 1 }] },
    {
      connected: () => undefined,
      disconnected: () => undefined,
      message: ({ payload }) => void heard.push(JSON.parse(payload) as PlainControl),
    },
  );
  const node: SeedNode = {
    id: answer.id,
    name,
    password: answer.password,
    heard,
    news() {
      const since = heard.slice(told);
      told = heard.length;
      return since.map(({ command, job }) => `${command} ${job.name}`);
    },
    begin() {
      beating = true;
      beat();
    },
    silence() {
      beating = false;
    },
    async register() {
      await cluster.reconciler.control.register(request, token);
    },
  };
  await cluster.clock.advance(10);
  node.begin();
  await cluster.clock.advance(10);
  return node;
}

/** Says a text on the operators' topic. */
export async function createOperator(cluster: MemoryCluster): Promise<(control: object | string) => Promise<void>> {
  const { admits } = cluster.broker;
  cluster.broker.admits = (id) => id === 'operator' || admits(id);
  const bus = cluster.broker.client('operator', { kind: 'operator' });
  bus.open({ subscribe: [] }, { connected: () => undefined, disconnected: () => undefined, message: () => undefined });
  await cluster.clock.advance(10);
  return async (control) => {
    const payload = typeof control === 'string' ? control : JSON.stringify(control);
    bus.publish(operatorTopic('test'), payload, { qos: 1, retain: false });
    await cluster.clock.advance(100);
  };
}
