/** Looks at every container of an engine, again and again, and notes what DESIGN promises never to happen. */
import type Docker from 'dockerode';

const every = 500;

export interface Watched {
  readonly id: string;
  readonly instance: string;
  readonly startedAt: string;
}

export interface ContainerWatch {
  /** What was broken, once each. */
  readonly violations: ReadonlySet<string>;
  /** Looks that the engine answered, and those that it did not. */
  readonly looks: { readonly answered: number; readonly unanswered: number };
  /** What runs, by the last look that was answered, sorted by instance. */
  running(): readonly Watched[];
  /** Looks once more; throws when the engine does not answer. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * `most`: copies of each service that may run at once. From the first look on, whatever runs must go on running as it is: same
 * container, same start, and no second one in its slot.
 */
export function watchContainers(docker: Docker, most: Readonly<Record<string, number>>): ContainerWatch {
  const violations = new Set<string>();
  const seen = new Map<string, Watched>();
  const looks = { answered: 0, unanswered: 0 };
  let last: readonly Watched[] = [];
  let stopped = false;

  const look = async (): Promise<void> => {
    const all = await docker.listContainers({ all: true });
    const inspected = await Promise.all(all.map(({ Id }) => docker.getContainer(Id).inspect().catch(goneMeanwhile)));
    const running = inspected
      .flatMap((one) => (one?.State.Running ? [one] : []))
      .map(({ Id, State, Config }) => {
        return { id: Id, instance: Config.Labels['io.oakctl.instance'] ?? '', startedAt: State.StartedAt };
      })
      .sort((a, b) => (a.instance < b.instance ? -1 : 1));
    judge(running);
    last = running;
  };
  const judge = (running: readonly Watched[]): void => {
    const now = new Map(running.map((one) => [one.id, one]));
    for (const [id, before] of seen) {
      const after = now.get(id);
      const name = `${before.instance} (${id.slice(0, 12)})`;
      if (!after) violations.add(`${name} was stopped`);
      else if (after.startedAt !== before.startedAt) violations.add(`${name} was started again`);
    }
    for (const one of running) seen.set(one.id, one);
    const slots = running.map(({ instance }) => instance);
    for (const slot of slots) if (slots.indexOf(slot) !== slots.lastIndexOf(slot)) violations.add(`${slot} runs twice`);
    for (const [service, limit] of Object.entries(most)) {
      const count = slots.filter((slot) => slot.startsWith(`${service}.instance.`)).length;
      if (count > limit) violations.add(`${count} copies of ${service} run, at most ${limit} are wanted`);
    }
  };

  const round = async (): Promise<void> => {
    while (!stopped) {
      const began = performance.now();
      await look().then(
        () => (looks.answered += 1),
        () => (looks.unanswered += 1),
      );
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, every - (performance.now() - began))));
    }
  };
  const ended = round();

  return {
    violations,
    looks,
    running: () => last,
    look,
    async stop() {
      stopped = true;
      await ended;
    },
  };
}

/** Removed after it was listed. */
function goneMeanwhile(error: Error & { readonly statusCode?: number }): undefined {
  if (error.statusCode !== 404) throw error;
}
