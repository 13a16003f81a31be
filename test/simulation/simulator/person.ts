/** What people want of a simulated cluster, and how they ask: again and again until there is an answer. */
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { DeployRequest } from '../../../schemas/api.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import { descriptor, type MemoryCluster } from '../../support/memory-cluster.ts';
import type { Bug } from './bugs.ts';
import type { Facts } from './facts.ts';
import { fullName } from './names.ts';
import type { Witness } from './witness.ts';

export interface Wish {
  readonly replicas: number | 'every';
  readonly code: string;
  /** Beside these, as in a descriptor. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface Person {
  readonly git: Map<string, Wish>;
  readonly direct: Map<string, Wish>;
  /** Pushes what is wanted of git; `broken`: with a file that cannot be read. */
  push(broken?: string): void;
  /** Nodes with an entry in nodes.yaml; undefined: there is no such file. */
  listed: Set<string> | undefined;
  /** What is deployed directly as `name`. */
  documents(name: string, wish: Wish): DeployRequest['documents'];
  deploy(name: string, wish: Wish): void;
  remove(name: string): void;
  /** Once, and whatever comes of it. */
  tell(
    what: string,
    request: (control: ControlPlane) => Promise<unknown>,
    done?: () => void,
    refused?: () => void,
  ): void;
  /**
   * As `tell`, until it is answered. `done` when it is, or when it turns out to be so already. With `refused` a no is an answer, too.
   */
  insist(
    key: string,
    request: (control: ControlPlane) => Promise<unknown>,
    done: () => void,
    refused?: () => void,
  ): void;
  /** Nobody waits for an answer to it any more. */
  withdraw(key: string): void;
  /** Asks again what has no answer. */
  tick(): void;
  /** What has no answer. */
  readonly open: readonly string[];
}

/** ms after which a request without an answer is made again. */
const patience = 10_000;

interface Request {
  readonly ask: (control: ControlPlane) => Promise<unknown>;
  readonly done: () => void;
  readonly refused: (() => void) | undefined;
  askedAt: number;
}

function textOf(app: string, name: string, { replicas, code, more }: Wish): string {
  return descriptor(
    [{ microservice_name: name, replicas, code, update: { settle: '1s', timeout: '60s' }, ...more }],
    app,
  );
}

/** `bug`: what stands between people and the reconciler. */
export function createPerson(cluster: MemoryCluster, facts: Facts, witness: Witness, bug?: Bug): Person {
  const git = new Map<string, Wish>();
  const direct = new Map<string, Wish>();
  const open = new Map<string, Request>();
  const plane = (): ControlPlane => {
    const { control } = cluster.reconciler;
    return bug?.control?.(control) ?? control;
  };
  const now = (): number => cluster.clock.now().mono;

  const answered = (what: string, error: unknown): boolean => {
    if (!isProblemError(error)) {
      witness.broken('no bugs', `${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return true;
    }
    if (error.problem.code === 'DESCRIPTOR_INVALID')
      witness.broken('people write well', `${what}: ${error.problem.message}`);
    witness.saw(`person: ${what} is refused: ${error.problem.code} ${error.problem.message}`);
    return error.problem.code === 'NOT_FOUND';
  };
  const ask = (key: string, request: Request): void => {
    request.askedAt = now();
    if (!facts.isReady) return;
    request.ask(plane()).then(
      () => {
        if (open.get(key) !== request) return;
        witness.saw(`person: ${key} is answered`);
        open.delete(key);
        request.done();
      },
      (error: unknown) => {
        const isDone = answered(key, error);
        if (open.get(key) !== request) return;
        const isRefused = request.refused && isProblemError(error) && error.problem.code === 'REFUSED';
        if (!isDone && !isRefused) return;
        open.delete(key);
        (isDone ? request.done : request.refused)?.();
      },
    );
  };
  const insist: Person['insist'] = (key, request, done, refused) => {
    const made: Request = { ask: request, done, refused, askedAt: 0 };
    open.set(key, made);
    ask(key, made);
  };

  const person: Person = {
    listed: undefined,
    git,
    direct,
    push(broken) {
      const files = [...git].map(([name, wish]) => [
        `${name}.yaml`,
        name === broken ? 'applications: [{ this is: no descriptor' : textOf('git', name, wish),
      ]);
      if (person.listed) {
        const entries = [...person.listed].map((name) => `- node: { hostname: ${name} }\n`).join('');
        files.push(['nodes.yaml', broken === 'nodes.yaml' ? '- node: [' : entries === '' ? '[]\n' : entries]);
      }
      facts.commits.push(cluster.git.push(Object.fromEntries(files)));
    },
    documents: (name, wish) => [{ file: 'd.yaml', text: textOf('direct', name, wish) }],
    deploy(name, wish) {
      direct.set(name, wish);
      const service = fullName('direct', name);
      facts.answered.delete(service);
      facts.replicating.delete(service);
      const documents = person.documents(name, wish);
      insist(
        `direct ${name}`,
        (control) => control.deploy({ documents }),
        () => facts.answered.set(service, { code: wish.code, replicas: Number(wish.replicas) }),
      );
    },
    remove(name) {
      direct.delete(name);
      const service = fullName('direct', name);
      facts.answered.delete(service);
      facts.replicating.delete(service);
      insist(
        `direct ${name}`,
        (control) => control.remove({ services: [service] }, 'person'),
        () => facts.answered.set(service, undefined),
      );
    },
    tell(what, request, done, refused) {
      if (!facts.isReady) return;
      request(plane()).then(
        () => done?.(),
        (error: unknown) => {
          answered(what, error);
          if (isProblemError(error) && error.problem.code === 'REFUSED') refused?.();
        },
      );
    },
    insist,
    tick() {
      for (const [key, request] of open) if (now() - request.askedAt >= patience) ask(key, request);
    },
    withdraw: (key) => void open.delete(key),
    get open() {
      return [...open.keys()];
    },
  };
  return person;
}
