import type { AgentDeps } from '../../../agent/ports.ts';
import type { Runtime } from '../../../agent/runtimes/runtime.ts';
import type { AssignmentMessage, InstancesMessage } from '../../../schemas/messages.ts';
import type { BusMessage } from '../../../schemas/ports.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import type { Bug } from './bugs.ts';

function withRuntime(deps: AgentDeps, change: (runtime: Runtime) => Partial<Runtime>): AgentDeps {
  return { ...deps, runtimes: deps.runtimes.map((runtime) => ({ ...runtime, ...change(runtime) })) };
}

/** What arrives is changed on its way. */
function withMessages(deps: AgentDeps, change: (message: BusMessage) => BusMessage): AgentDeps {
  return {
    ...deps,
    bus: {
      ...deps.bus,
      open: (options, handlers) =>
        deps.bus.open(options, { ...handlers, message: (message) => handlers.message(change(message)) }),
    },
  };
}

export const agentBugs: readonly Bug[] = [
  {
    name: 'agent: a write is answered before it is on disk',
    agent: (deps, { clock }) => ({
      ...deps,
      files: {
        ...deps.files,
        write: (name, text) => {
          clock.after(2_000, () => void deps.files.write(name, text).catch(() => undefined));
          return Promise.resolve();
        },
      },
    }),
  },
  {
    name: 'agent: the ledger is not read at the start',
    agent: (deps) => ({ ...deps, files: { ...deps.files, read: () => Promise.resolve(undefined) } }),
  },
  { name: 'agent: signatures are not checked', agent: (deps) => ({ ...deps, verify: () => true }) },
  {
    name: 'agent: without a connection everything stops',
    agent: (deps) => ({
      ...deps,
      bus: {
        ...deps.bus,
        open: (options, handlers) =>
          deps.bus.open(options, {
            ...handlers,
            disconnected(reason) {
              handlers.disconnected(reason);
              const { signal } = new AbortController();
              for (const runtime of deps.runtimes)
                void runtime
                  .list(signal)
                  .then((copies) => Promise.all(copies.map((copy) => runtime.stop(copy, 0, signal))))
                  .catch(() => undefined);
            },
          }),
      },
    }),
  },
  {
    name: 'agent: what is there at the start is made anew',
    agent: (deps) => {
      let isFirst = true;
      return withRuntime(deps, (runtime) => ({
        list(signal) {
          const was = isFirst;
          isFirst = false;
          return was ? Promise.resolve([]) : runtime.list(signal);
        },
        async create(plan, signal) {
          await runtime.remove(plan, signal);
          await runtime.create(plan, signal);
        },
      }));
    },
  },
  {
    name: 'agent: a stop is believed to have worked',
    agent: (deps, { dice }) =>
      withRuntime(deps, (runtime) => ({
        stop: (key, grace, signal) => (dice.chance(0.5) ? Promise.resolve() : runtime.stop(key, grace, signal)),
      })),
  },
  {
    name: 'agent: older assignments are taken',
    agent: (deps) => {
      let highest: AssignmentMessage | undefined;
      const change = (message: BusMessage): BusMessage => {
        if (!message.topic.includes('/assignment/')) return message;
        const said = JSON.parse(message.payload) as AssignmentMessage;
        if (!deps.verify(message.topic, said)) return message;
        const isOlder =
          highest && (said.epoch < highest.epoch || (said.epoch === highest.epoch && said.gen < highest.gen));
        if (!highest || !isOlder) {
          highest = said;
          return message;
        }
        highest = { ...said, epoch: highest.epoch, gen: highest.gen + 1, by: highest.by };
        return { ...message, payload: JSON.stringify(highest) };
      };
      const verify = (): boolean => true;
      return { ...withMessages(deps, change), verify };
    },
  },
  {
    name: 'agent: the engine is looked at once',
    agent: (deps) => {
      let first: ReturnType<Runtime['list']> | undefined;
      return withRuntime(deps, (runtime) => ({
        list: (signal) => {
          first ??= runtime.list(signal);
          return first;
        },
      }));
    },
  },
  {
    name: 'agent: whatever is wanted is reported as running',
    agent: (deps) => ({
      ...deps,
      bus: {
        ...deps.bus,
        publish(topic, payload, options) {
          if (!topic.includes('/instances/')) return deps.bus.publish(topic, payload, options);
          const message = JSON.parse(payload) as InstancesMessage;
          const copies = message.copies.map((copy) => (copy.want === 'run' ? { ...copy, status: 'running' } : copy));
          deps.bus.publish(topic, JSON.stringify({ ...message, copies }), options);
        },
      },
    }),
  },
  {
    name: 'agent: a copy is made of what its instance ran first',
    agent: (deps) => {
      const runs = new Map<string, RunSpec>();
      return withRuntime(deps, (runtime) => ({
        create(plan, signal) {
          const run = runs.get(plan.instance) ?? plan.run;
          runs.set(plan.instance, run);
          return runtime.create({ ...plan, run }, signal);
        },
      }));
    },
  },
  {
    name: 'agent: labels are not compared',
    agent: (deps, { machine }) => withRuntime(deps, () => ({ list: (signal) => machine.runtime.list(signal) })),
  },
  {
    name: 'agent: what is done is taken for what was only made',
    agent: (deps, { machine }) =>
      withRuntime(deps, (runtime) => ({
        async list(signal) {
          const copies = await runtime.list(signal);
          return copies.map((copy) => {
            const isDone = copy.exitCode === 0 && machine.runtime.runOf(copy)?.one_shot;
            return isDone ? { ...copy, state: 'created' } : copy;
          });
        },
      })),
  },
  {
    name: 'agent: nobody looks whether a copy is as it was made',
    agent: (deps) => withRuntime(deps, () => ({ differences: undefined }) as Partial<Runtime>),
  },
  {
    name: 'agent: only events tell of a pause',
    agent: (deps) =>
      withRuntime(deps, (runtime) => ({
        async list(signal) {
          const copies = await runtime.list(signal);
          return copies.map(({ paused: _paused, ...copy }) => copy);
        },
      })),
  },
  {
    name: 'agent: whatever runs is well',
    agent: (deps) =>
      withRuntime(deps, (runtime) => ({
        async list(signal) {
          const copies = await runtime.list(signal);
          return copies.map((copy) => (copy.health ? { ...copy, health: 'healthy' } : copy));
        },
      })),
  },
];
