import type { ReconcilerDeps } from '../../../reconciler/context.ts';
import type { Records } from '../../../reconciler/core/records.ts';
import type { Git } from '../../../reconciler/ports.ts';
import { signMessage } from '../../../schemas/io/signatures.ts';
import type { AssignmentMessage, InstancesMessage } from '../../../schemas/messages.ts';
import type { BusHandlers, Mono, Wall } from '../../../schemas/ports.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import type { Bug } from './bugs.ts';

/** What a process finds in its records. */
function withLoaded(deps: ReconcilerDeps, change: (records: Records) => Partial<Records>): ReconcilerDeps {
  const load = async (): Promise<Records> => {
    const records = await deps.records.load();
    return { ...records, ...change(records) };
  };
  return { ...deps, records: { ...deps.records, load } };
}

function withHandlers(deps: ReconcilerDeps, change: (handlers: BusHandlers) => BusHandlers): ReconcilerDeps {
  return { ...deps, bus: { ...deps.bus, open: (options, handlers) => deps.bus.open(options, change(handlers)) } };
}

function withGit(deps: ReconcilerDeps, change: (git: Git) => Partial<Git>): ReconcilerDeps {
  return {
    ...deps,
    sources: deps.sources.map((source) => ({ ...source, git: { ...source.git, ...change(source.git) } })),
  };
}

function without<T>(map: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

export const reconcilerBugs: readonly Bug[] = [
  {
    name: 'reconciler: the epoch stays at a start',
    reconciler: (deps) => withLoaded(deps, ({ epoch }) => ({ epoch: Math.max(0, epoch - 1) })),
  },
  {
    name: 'reconciler: answers before records are on disk',
    reconciler(deps, { clock }) {
      let isFirst = true;
      const save = (records: Records): Promise<void> => {
        if (isFirst) {
          isFirst = false;
          return deps.records.save(records);
        }
        clock.after(3_000, () => void deps.records.save(records).catch(() => undefined));
        return Promise.resolve();
      };
      return { ...deps, records: { ...deps.records, save } };
    },
  },
  {
    name: 'reconciler: retained messages are signs of life',
    reconciler: (deps) =>
      withHandlers(deps, (handlers) => ({
        ...handlers,
        message: (message) => handlers.message({ ...message, retained: false }),
      })),
  },
  {
    name: 'reconciler: time is the wall clock',
    reconciler(deps) {
      const start = deps.clock.now();
      const now = () => {
        const { wall } = deps.clock.now();
        return { mono: (start.mono + wall - start.wall) as Mono, wall };
      };
      return { ...deps, clock: { ...deps.clock, now } };
    },
  },
  {
    name: 'reconciler: controls are all that is sent',
    reconciler: (deps) => ({
      ...deps,
      bus: {
        ...deps.bus,
        publish(topic, payload, options) {
          const isSecond = topic.includes('/assignment/') && !payload.includes('"gen":1,');
          if (!isSecond) deps.bus.publish(topic, payload, options);
        },
      },
    }),
  },
  {
    name: 'reconciler: ledgers are taken as empty',
    reconciler: (deps) => ({
      ...deps,
      streams: {
        ...deps.streams,
        expect(node, signal) {
          const { id, chunks } = deps.streams.expect(node, signal);
          async function* emptied(): AsyncIterable<string> {
            let text = '';
            for await (const chunk of chunks) text += chunk;
            const { parts } = JSON.parse(text) as { parts: { fence: unknown }[] };
            yield JSON.stringify({ parts: parts.map(({ fence }) => ({ fence, jobs: [], documents: {} })) });
          }
          return { id, chunks: emptied() };
        },
      },
    }),
  },
  {
    name: 'reconciler: files that cannot be read are left out',
    reconciler: (deps) =>
      withGit(deps, (git) => ({
        async tree(commit, path, signal) {
          const entries = await git.tree(commit, path, signal);
          const texts = await git.blobs(
            entries.map(({ blob }) => blob),
            signal,
          );
          return entries.filter(({ blob }) => !texts.get(blob)?.includes('no descriptor'));
        },
      })),
  },
  {
    name: 'reconciler: the head is asked from a stale mirror',
    reconciler(deps, { dice }) {
      let newest: string | undefined;
      let older: string | undefined;
      return withGit(deps, (git) => ({
        async head(signal) {
          const head = await git.head(signal);
          if (head !== newest) older = newest;
          newest = head;
          return older !== undefined && dice.chance(0.3) ? older : head;
        },
      }));
    },
  },
  {
    name: 'reconciler: ordinals are counted anew',
    reconciler: (deps) => withLoaded(deps, ({ nextOrdinal }) => ({ nextOrdinal: Math.max(0, nextOrdinal - 1) })),
  },
  {
    name: 'reconciler: deletions are forgotten at a start',
    reconciler: (deps) => withLoaded(deps, () => ({ tombstones: {} })),
  },
  {
    name: 'reconciler: one pair for two assignments',
    reconciler(deps) {
      const last = new Map<string, AssignmentMessage>();
      return {
        ...deps,
        bus: {
          ...deps.bus,
          publish(topic, payload, options) {
            if (!topic.includes('/assignment/') || payload === '') return deps.bus.publish(topic, payload, options);
            const message = JSON.parse(payload) as AssignmentMessage;
            const { kid: _kid, sig: _sig, ...said } = message;
            const before = last.get(message.node);
            last.set(message.node, message);
            const gen = before && message.gen === before.gen + 1 ? before.gen : message.gen;
            deps.bus.publish(topic, JSON.stringify(signMessage(deps.keys, topic, { ...said, gen })), options);
          },
        },
      };
    },
  },
  {
    name: 'reconciler: cordons are forgotten at a start',
    reconciler: (deps) =>
      withLoaded(deps, ({ nodes }) => ({
        nodes: without(nodes, ({ cordon: _cordon, ...rest }) => rest),
      })),
  },
  {
    name: 'reconciler: removed nodes come back at a start',
    reconciler: (deps) =>
      withLoaded(deps, ({ nodes }) => ({
        nodes: without(nodes, ({ removed: _removed, revoked: _revoked, ...rest }) => rest),
      })),
  },
  {
    name: 'reconciler: what seed nodes were told is forgotten at a start',
    reconciler: (deps) =>
      withLoaded(deps, ({ assumed }) => ({ assumed: without(assumed, ({ part }) => ({ part, told: {} })) })),
  },
  {
    name: 'reconciler: suspensions are forgotten at a start',
    reconciler: (deps) => withLoaded(deps, () => ({ suspends: {} })),
  },
  {
    name: 'reconciler: reports are heeded at the start only',
    reconciler(deps) {
      let count = 0;
      return withHandlers(deps, (handlers) => ({
        ...handlers,
        message(message) {
          if (message.topic.includes('/instances/')) count += 1;
          if (count < 8 || !message.topic.includes('/instances/')) handlers.message(message);
        },
      }));
    },
  },
  {
    name: 'reconciler: no time to hear the nodes after an outage',
    reconciler: (deps) =>
      withHandlers(deps, (handlers) => {
        let isFirst = true;
        return {
          ...handlers,
          connected() {
            if (isFirst) handlers.connected();
            isFirst = false;
          },
          disconnected: () => undefined,
        };
      }),
  },
  {
    name: 'reconciler: where data is is forgotten at a start',
    reconciler: (deps) => withLoaded(deps, () => ({ homes: {} })),
  },
  {
    name: 'reconciler: due times are counted anew at a start',
    reconciler: (deps) =>
      withLoaded(deps, ({ schedules }) => ({
        schedules: without(schedules, (state) => ({ ...state, from: (state.from - 150_000) as Wall })),
      })),
  },
  {
    name: 'reconciler: whatever the plan is by now is carried out',
    control: (control) => ({
      ...control,
      deploy: ({ plan: _plan, ...request }) => control.deploy(request),
    }),
  },
  {
    name: 'reconciler: a plan names other nodes than it means',
    control: (control) => ({
      ...control,
      async plan(request, counts) {
        const plan = await control.plan(request, counts);
        const names = control.nodes().map(({ name }) => name);
        const other = (node: string): string => names[(names.indexOf(node) + 1) % names.length] ?? node;
        return { ...plan, changes: plan.changes.map((one) => (one.node ? { ...one, node: other(one.node) } : one)) };
      },
    }),
  },
  {
    name: 'reconciler: a rival is no reason to end',
    reconciler: (deps) => ({
      ...deps,
      fatal(error) {
        if (!isProblemError(error) || error.problem.code !== 'RIVAL_RECONCILER') deps.fatal(error);
      },
    }),
  },
  {
    name: 'reconciler: a job that runs counts as done',
    reconciler: (deps) =>
      withHandlers(deps, (handlers) => ({
        ...handlers,
        message(message) {
          if (!message.topic.includes('/instances/')) return handlers.message(message);
          const said = JSON.parse(message.payload) as InstancesMessage;
          const isJob = (instance: string): boolean => instance.startsWith('git.default.once.');
          const copies = said.copies.map((copy) =>
            isJob(copy.instance) && copy.status === 'running' ? { ...copy, status: 'completed' } : copy,
          );
          handlers.message({ ...message, payload: JSON.stringify({ ...said, copies }) });
        },
      })),
  },
];
