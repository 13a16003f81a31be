/** One agent in memory on virtual time, and a hand that writes its assignments as a reconciler would. */

import { type Agent, createAgent } from '../../../agent/loop.ts';
import type { AgentEvent, Authority, OpenStream } from '../../../agent/ports.ts';
import {
  changePart,
  emptyPart,
  hashPart,
  jobNumber,
  normalisePart,
  type Part,
  type PartChange,
} from '../../../schemas/assignment.ts';
import { digestOf } from '../../../schemas/digest.ts';
import type { ExecConnection } from '../../../schemas/exec.ts';
import type { AssignmentMessage, ControlMessage, Fence, InstancesMessage, Job } from '../../../schemas/messages.ts';
import { emptyPolicy, type NodePolicy } from '../../../schemas/policy.ts';
import type { Bus } from '../../../schemas/ports.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { topic } from '../../../schemas/topics.ts';
import { createFakeRuntime, type FakeRuntime, type FakeRuntimeOptions } from '../../support/fake-runtime.ts';
import { createMemoryBroker, type MemoryBroker } from '../../support/memory-bus.ts';
import { createMemoryFiles, type MemoryFiles } from '../../support/memory-files.ts';
import { createSeededRandom, createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

export const node = '00000000000000aa';
export const cluster = 'home';

/** The run spec of a container; `code` makes digests differ. */
export function container(code: string, more: Partial<RunSpec> = {}): RunSpec {
  return { virtualization: 'container', code, ...more };
}

export function jobOf(instance: string, copy: string, run: RunSpec, want: Job['want'] = 'run'): Job {
  return { instance, copy, want, digest: digestOf(run), runtime: 'docker', source: { name: 'direct' } };
}

export function partOf(fence: Fence, entries: readonly (readonly [Job, RunSpec])[]): Part {
  return normalisePart({
    fence,
    jobs: entries.map(([job]) => job),
    documents: Object.fromEntries(entries.map(([job, run]) => [job.digest, run])),
  });
}

const stamp = { kid: 'test', sig: 'good' };

export function assignmentOf(part: Part, more: Partial<AssignmentMessage> = {}): AssignmentMessage {
  const { jobs, documents, fence } = part;
  return {
    v: 1,
    cluster,
    node,
    part: 0,
    parts: 1,
    ...fence,
    hash: hashPart(part),
    jobs: [...jobs],
    documents,
    ...stamp,
    ...more,
  };
}

export function controlOf(before: Part, change: PartChange, fence: Fence): ControlMessage {
  const after = changePart(before, change, fence);
  const { epoch, gen } = before.fence;
  const head = { v: 1, node, part: 0, base: { epoch, gen }, hash: hashPart(after), ...fence, ...stamp } as const;
  if (change.kind === 'drop') {
    const { instance, copy } = change;
    return {
      ...head,
      command: 'delete',
      job: { id: jobNumber(instance), name: instance, image: '', technology: '', copy },
    };
  }
  const { instance, ...rest } = change.job;
  const job = { id: jobNumber(instance), name: instance, image: change.document.code, technology: 'docker', ...rest };
  return { ...head, command: 'deploy', job, document: change.document };
}

export interface Rig {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  readonly runtime: FakeRuntime;
  readonly files: MemoryFiles;
  readonly events: AgentEvent[];
  /** Copies of which nothing is left, as the agent said so, `<instance>/<copy>`. */
  readonly gone: string[];
  /** Texts that the agent wrote into streams, by id. */
  readonly streams: Map<string, string[]>;
  /** Sessions that the reconciler opens, by id. */
  readonly sessions: Map<string, ExecConnection>;
  readonly reconciler: Bus;
  agent: Agent;
  /** Starts an agent process; the one before it must be halted. */
  boot(): Promise<void>;
  /** Publishes a complete assignment. */
  assign(part: Part): void;
  control(message: ControlMessage): void;
  /** The last instances message that the broker holds. */
  report(): InstancesMessage | undefined;
  status(copy: string): string | undefined;
}

export function createRig(
  options: Omit<FakeRuntimeOptions, 'clock'> = {},
  policy: NodePolicy = emptyPolicy,
  authority: Authority = 'cluster',
): Rig {
  const clock = createVirtualClock();
  const broker = createMemoryBroker(clock);
  const runtime = createFakeRuntime({ clock, ...options });
  const files = createMemoryFiles();
  const events: AgentEvent[] = [];
  const gone: string[] = [];
  const streams = new Map<string, string[]>();
  const sessions = new Map<string, ExecConnection>();
  const reconciler = broker.client('reconciler', { kind: 'reconciler' });
  reconciler.open({ subscribe: [] }, { connected: () => {}, disconnected: () => {}, message: () => {} });
  let boots = 0;
  let used = false;

  const open = (id: string): Promise<OpenStream> => {
    const texts: string[] = [];
    streams.set(id, texts);
    return Promise.resolve({ write: (text) => Promise.resolve(void texts.push(text)), close: () => Promise.resolve() });
  };
  const session = (id: string): Promise<ExecConnection> => {
    const connection = sessions.get(id);
    return connection ? Promise.resolve(connection) : Promise.reject(new Error(`no session ${id}`));
  };
  const create = (): Agent => {
    boots += 1;
    return createAgent({
      identity: { id: node, name: 'worker-1', cluster },
      profile: { ip: '127.0.0.2', labels: {}, arch: 'x64', version: '0.1.0', beat: 5_000, boot: `boot-${boots}` },
      clock,
      random: createSeededRandom(boots),
      bus: broker.client(node, { kind: 'node', id: node }),
      runtimes: [runtime],
      policy,
      authority,
      files,
      verify: (_topic, message) => (message as { sig?: string }).sig === 'good',
      usage: () => ({ cpu: 1, memory: 2, capacity: { cpu: 4, memory: 4_096 } }),
      streams: { open, session },
      trace: (event) => events.push(event),
      gone: ({ instance, copy }) => gone.push(`${instance}/${copy}`),
    });
  };
  const report = (): InstancesMessage | undefined => {
    const text = broker.retained.get(topic(node, 'instances'));
    return text === undefined ? undefined : (JSON.parse(text) as InstancesMessage);
  };
  const rig: Rig = {
    clock,
    broker,
    runtime,
    files,
    events,
    gone,
    streams,
    sessions,
    reconciler,
    agent: create(),
    async boot() {
      if (used) rig.agent = create();
      used = true;
      await rig.agent.start();
      await clock.advance(5);
    },
    assign: (part) =>
      reconciler.publish(topic(node, 'assignment'), JSON.stringify(assignmentOf(part)), { qos: 1, retain: true }),
    control: (message) =>
      reconciler.publish(topic(node, 'controls'), JSON.stringify(message), { qos: 1, retain: false }),
    report,
    status: (copy) => report()?.copies.find((one) => one.copy === copy)?.status,
  };
  return rig;
}

export { emptyPart };
