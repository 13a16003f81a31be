/**
 * One reconciler and some agents, the real loops and the real decisions, in one process on virtual time. Only the ports are fakes:
 * clock, broker, engine, files, git and streams.
 */
import type { AgentDeps, Authority } from '../../agent/ports.ts';
import type { ReconcilerDeps, Source } from '../../reconciler/context.ts';
import { emptyRecords, type Records } from '../../reconciler/core/records.ts';
import { createReconciler, type Reconciler } from '../../reconciler/loop.ts';
import type { Keys } from '../../reconciler/ports.ts';
import { verifyMessage } from '../../schemas/io/signatures.ts';
import { emptyPolicy, type NodePolicy } from '../../schemas/policy.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { createFakeGit, type FakeGit } from './fake-git.ts';
import type { FakeRuntimeOptions } from './fake-runtime.ts';
import { createMemoryBroker, type MemoryBroker } from './memory-bus.ts';
import { createMemoryFiles, type MemoryFiles } from './memory-files.ts';
import { createMemoryKeys } from './memory-keys.ts';
import { createMemoryNode, type MemoryNode } from './memory-node.ts';
import { createMemoryStreams } from './memory-streams.ts';
import { createMortalProcess, type Disk, type MortalProcess } from './mortal-process.ts';
import { createSeededRandom, createVirtualClock, type VirtualClock } from './virtual-clock.ts';

export interface MemoryCluster {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  /** The first source. */
  readonly git: FakeGit;
  readonly gits: ReadonlyMap<string, FakeGit>;
  /** The records as they are on disk. */
  readonly disk: Disk;
  readonly state: MemoryFiles;
  readonly nodes: readonly MemoryNode[];
  readonly log: string[];
  /** Set when the reconciler gave up. */
  readonly fatal: string[];
  reconciler: Reconciler;
  records: Records;
  /** Ends the reconciler without a word and starts another on the same records. */
  restartReconciler(options?: { readonly between?: () => Promise<void> }): Promise<void>;
  killReconciler(): void;
  /** Starts a reconciler; does not wait for its recovery. */
  startReconciler(): Promise<void>;
  /** Another reconciler of the same cluster on records of its own. */
  startRival(
    records: Records,
    how?: { readonly key?: number },
  ): Promise<{ readonly reconciler: Reconciler; readonly fatal: readonly string[] }>;
  join(name: string): Promise<MemoryNode>;
  /** A machine joins with this token; its agent is not started. */
  enter(name: string, token: string): Promise<MemoryNode>;
  /** It is none of the nodes any more; its machine may live on. */
  forget(id: string): void;
  /** Another machine with the identity of this one, at the broker under a tag of its own. It is not started. */
  clone(node: MemoryNode, tag: string): MemoryNode;
  /** As `join`, by seed 000's registration, and with an agent that is its own authority. */
  joinLocal(name: string): Promise<MemoryNode>;
  /** Pushes these files and waits until the reconciler has read them. */
  push(files: Readonly<Record<string, string>>): Promise<void>;
  /** Instances that run, as `<node> <instance>/<copy>`, from the engines themselves. */
  running(): string[];
  /** Engine handles of what runs, by instance: they change at a restart. */
  handles(): Map<string, string>;
  close(): Promise<void>;
}

/** What stands between the loops and their ports: how a simulator hurts them, and looks at them. */
export interface Wiring {
  readonly clock?: VirtualClock;
  readonly keys?: Keys;
  readonly verify?: AgentDeps['verify'];
  /** At each start of a reconciler; `who`: at the broker. */
  reconciler?(deps: ReconcilerDeps, process: MortalProcess, who: string): ReconcilerDeps;
  /** At each start of an agent. */
  agent?(deps: AgentDeps, node: { readonly name: string; readonly tag: string }): AgentDeps;
  engine?(tag: string): Partial<FakeRuntimeOptions>;
}

/** A cluster with `workers` joined nodes and a git source that nobody pushed to yet. */
export async function createMemoryCluster(options: {
  readonly workers?: number;
  readonly seed?: number;
  readonly settings?: string;
  /** What the owners of nodes grant, by node name; read when an agent starts. */
  readonly policies?: ReadonlyMap<string, NodePolicy>;
  /** Names of the git sources; default: `fleet`. */
  readonly sources?: readonly string[];
  /** Which of its commits have to be signed. */
  readonly signed?: 'head' | 'all';
  /** Its commits are carried out whole or not at all. */
  readonly strict?: true;
  /** The broker is not the reconciler's own. */
  readonly shared?: boolean;
  readonly wiring?: Wiring;
}): Promise<MemoryCluster> {
  const { wiring = {}, signed } = options;
  const clock = wiring.clock ?? createVirtualClock();
  const random = createSeededRandom(options.seed ?? 1);
  const broker = createMemoryBroker(clock);
  const gits = new Map((options.sources ?? ['fleet']).map((name) => [name, createFakeGit()]));
  const [git] = gits.values();
  if (!git) throw new Error('no source');
  const streams = createMemoryStreams();
  const keys = wiring.keys ?? createMemoryKeys('test');
  const log: string[] = [];
  const fatal: string[] = [];
  const nodes: MemoryNode[] = [];
  /** Nodes so far, also those that left. */
  let made = 0;
  const disk: Disk = { records: emptyRecords, full: false, saves: 0, onSave: () => undefined };
  const { settings, problems } = parseClusterSettings(
    options.settings ?? 'cluster: test\nnode_class: lan\ncpu_overcommit: 16\n',
    'cluster.yaml',
  );
  if (!settings) throw new Error(JSON.stringify(problems));

  const sources: readonly Source[] = [...gits].map(([name, one]) => {
    return {
      name,
      url: 'memory:',
      branch: 'main',
      path: '',
      poll: 60_000,
      git: one,
      ...(options.strict && { strict: true }),
      ...(signed && { signers: { file: '/s', commits: signed } }),
    };
  });
  const state = createMemoryFiles();
  let known = new Set<string>();
  broker.admits = (id) => known.has(id) || id === 'reconciler' || id === 'rival';
  let current: MortalProcess = createMortalProcess();

  interface Body {
    readonly disk: Disk;
    readonly state: MemoryFiles;
    readonly keys: Keys;
    readonly process: MortalProcess;
    readonly ends: string[];
  }
  const createProcess = async (id: string, { disk: on, state, keys, process, ends }: Body): Promise<Reconciler> => {
    const deps: ReconcilerDeps = {
      settings,
      clock: process.clock(clock),
      random,
      bus: broker.client(id, { kind: 'reconciler' }),
      ...(options.shared && { shared: { broker: 'memory:', user: id, url: () => `http://${id}` } }),
      keys,
      records: process.store(on),
      state: process.files(state),
      sources,
      streams: streams.reconciler,
      broker: {
        setNodes: (valid) => {
          if (process.alive) known = new Set(valid.map((node) => node.id));
        },
        disconnect: broker.drop,
      },
      mqtt: { host: '127.0.0.1', port: 1883 },
      log: (level, event, fields) => {
        if (process.alive) log.push(`${clock.now().mono} ${id} ${level} ${event} ${JSON.stringify(fields ?? {})}`);
      },
      fatal: (error) => {
        if (!process.alive) return;
        ends.push(error.stack ?? error.message);
        process.die();
        broker.kill(id);
      },
    };
    const reconciler = await createReconciler(wiring.reconciler?.(deps, process, id) ?? deps);
    reconciler.start();
    return reconciler;
  };
  const startReconciler = (): Promise<Reconciler> => {
    current = createMortalProcess();
    return createProcess('reconciler', { disk, state, keys, process: current, ends: fatal });
  };

  const createNode = (name: string, id: string, ip: string, authority: Authority, tag = id): MemoryNode =>
    createMemoryNode(
      { name, id, ip, authority, tag },
      {
        get policy() {
          return options.policies?.get(name) ?? emptyPolicy;
        },
        clock,
        random,
        bus: () => broker.client(id, { kind: 'node', id }, tag),
        kill: broker.kill,
        verify:
          wiring.verify ??
          ((topic, message) =>
            verifyMessage({ cluster: 'test', keys: { [keys.kid]: keys.publicKey } }, topic, message)),
        streams: streams.opener(id),
        trusted: {
          cluster: 'test',
          get keys() {
            return keys.trusted();
          },
          keyOf: () => undefined,
        },
        onConnected: () => {
          if (authority === 'cluster') return;
          const renewed = cluster.reconciler.control.register({ id, name, ip, port: 0 }, `1.${id}`);
          renewed.catch((error: unknown) => fatal.push(String(error)));
        },
        trace: (event) => void log.push(`${clock.now().mono} ${name} ${JSON.stringify(event)}`),
        ...(wiring.engine && { engine: wiring.engine(tag) }),
        ...(wiring.agent && { wire: (deps) => wiring.agent?.(deps, { name, tag }) ?? deps }),
      },
    );

  const newIp = (): string => `127.0.0.${made + 2}`;
  const list = (node: MemoryNode): void => {
    made += 1;
    nodes.push(node);
  };
  const invite = async (): Promise<{ token: string; ip: string }> => {
    const { token } = await cluster.reconciler.control.createToken({});
    return { token, ip: newIp() };
  };
  const addNode = async (node: MemoryNode): Promise<MemoryNode> => {
    list(node);
    await node.start();
    return node;
  };
  const cluster: MemoryCluster = {
    clock,
    broker,
    git,
    gits,
    disk,
    state,
    nodes,
    log,
    fatal,
    reconciler: await startReconciler(),
    get records() {
      return disk.records;
    },
    set records(next) {
      disk.records = next;
    },
    killReconciler() {
      current.die();
      broker.kill('reconciler');
    },
    async startReconciler() {
      cluster.reconciler = await startReconciler();
    },
    async startRival(records, { key = 7 } = {}) {
      const ends: string[] = [];
      const own: Disk = { records, full: false, saves: 0, onSave: () => undefined };
      const body = { disk: own, state: createMemoryFiles(), keys: createMemoryKeys('test', key) };
      const reconciler = await createProcess('rival', { ...body, process: createMortalProcess(), ends });
      return { reconciler, fatal: ends };
    },
    async restartReconciler(how = {}) {
      cluster.killReconciler();
      await clock.settle();
      await how.between?.();
      cluster.reconciler = await startReconciler();
      await clock.until(() => cluster.reconciler.control.status().phase === 'running', 120_000, 'recovery');
    },
    async join(name) {
      const node = await cluster.enter(name, (await invite()).token);
      await node.start();
      return node;
    },
    async enter(name, token) {
      const ip = newIp();
      const { id } = await cluster.reconciler.control.join({ token, name, ip, version: '0.1.0' }, ip);
      const node = createNode(name, id, ip, 'cluster');
      list(node);
      return node;
    },
    forget(id) {
      const at = nodes.findIndex((node) => node.id === id);
      if (at >= 0) nodes.splice(at, 1);
    },
    clone: ({ name, id, ip }, tag) => createNode(name, id, ip, 'cluster', tag),
    async joinLocal(name) {
      const { token, ip } = await invite();
      const { id } = await cluster.reconciler.control.register({ id: '', name, ip, port: 0 }, token);
      return addNode(createNode(name, id, ip, 'local'));
    },
    async push(files) {
      const commit = git.push(files);
      await clock.until(() => cluster.reconciler.control.status().sources[0]?.head === commit, 120_000, 'the push');
    },
    running() {
      return nodes
        .flatMap((node) =>
          [...node.runtime.copies.values()]
            .filter((copy) => copy.state === 'running')
            .map((copy) => `${node.name} ${copy.instance}/${copy.copy}`),
        )
        .sort();
    },
    handles() {
      const running = nodes.flatMap((node) =>
        [...node.runtime.copies.values()].filter((copy) => copy.state === 'running'),
      );
      return new Map(running.map((copy) => [`${copy.instance}/${copy.copy}`, copy.handle]));
    },
    async close() {
      for (const node of nodes) node.kill();
      if (current.alive) await cluster.reconciler.stop();
    },
  };
  await clock.until(() => cluster.reconciler.control.status().phase === 'running', 120_000, 'the first recovery');
  for (let i = 1; i <= (options.workers ?? 3); i += 1) await cluster.join(`worker-${i}`);
  await clock.until(
    () => cluster.reconciler.control.nodes().filter((node) => node.state === 'online').length === nodes.length,
    60_000,
    'all workers online',
  );
  return cluster;
}

/** A descriptor with one service per name; ours in YAML. */
export function descriptor(services: readonly Readonly<Record<string, unknown>>[], app = 'shop'): string {
  return JSON.stringify({
    sla_version: 'v2.0',
    customerID: 'Admin',
    applications: [
      {
        application_name: app,
        microservices: services.map((service) => ({ code: 'oakctl/test:1', memory: 64, vcpus: 1, ...service })),
      },
    ],
  });
}
