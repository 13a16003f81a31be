/**
 * Logins and mirrors for all nodes: read from registries.yaml in the cluster's folder at each use, told to a node over the API and
 * only for registries that its own assignment names. Nothing of it goes over the broker, into records or into a log.
 */
import { parseImage, registryFault, registryName } from '../schemas/image-name.ts';
import type { NodeId } from '../schemas/names.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { type Login, noRegistries, type PullSource, type Registries, sourcesOf } from '../schemas/registries.ts';
import type { RegistryView } from '../schemas/views.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';

/** registries.yaml, and the registries themselves. */
export interface RegistryDesk {
  read(): Promise<{ readonly registries: Registries; readonly problems: readonly Problem[] }>;
  /** Writes a login, or takes it away. True when something changed. */
  change(host: string, login: Login | undefined): Promise<boolean>;
  /**
   * What the tag of an image stands for now: `sha256:…`. Each of its mirrors has its share of `ms`. IMAGE_DENIED, IMAGE_NOT_FOUND,
   * REGISTRY_UNREACHABLE.
   */
  resolve(image: string, ms: number, signal: AbortSignal): Promise<string>;
  /** IMAGE_DENIED, REGISTRY_UNREACHABLE. */
  check(host: string, login: Login, signal: AbortSignal): Promise<void>;
}

type Routes = Pick<ControlPlane, 'registries' | 'login' | 'logout' | 'pullSources'>;

/** ms that a registry has to say whether a login is good. */
const patience = 10_000;

export interface RegistryRoutes extends Routes {
  /** What is wrong with the file, as it was read last. */
  conditions(): readonly Problem[];
}

export function createRegistries({ deps, world, journal }: Context): RegistryRoutes {
  const { registries: desk } = deps;
  let known: readonly Problem[] = [];
  let reading = false;

  const read = async (): Promise<Registries> => {
    if (!desk) return noRegistries;
    const { registries, problems } = await desk.read();
    known = problems;
    return registries;
  };
  const writable = (): RegistryDesk => {
    if (desk) return desk;
    throw new ProblemError(problem('UNAVAILABLE', 'this reconciler keeps no logins'));
  };
  const hostOf = (text: string): string => {
    const fault = registryFault(text);
    if (fault)
      throw new ProblemError(problem('BAD_REQUEST', fault, { subject: text, hint: 'e.g. registry.example.org' }));
    return registryName(text);
  };
  const isNamed = (node: NodeId, registry: string): boolean =>
    Object.values(world.nodes.get(node)?.part.documents ?? {}).some(
      ({ virtualization, code }) => virtualization === 'container' && parseImage(code).registry === registry,
    );

  return {
    conditions() {
      // Asked for often, and the file changes hardly ever: what is answered may be one question old.
      if (!reading) {
        reading = true;
        void read().finally(() => {
          reading = false;
        });
      }
      return known;
    },
    async registries() {
      const { entries } = await read();
      return [...entries].map(([registry, { login, mirrors, plainHttp }]): RegistryView => {
        return { registry, ...(login && { username: login.username }), mirrors: [...mirrors], plain_http: plainHttp };
      });
    },
    async pullSources(node, text): Promise<readonly PullSource[]> {
      const registry = hostOf(text);
      if (!isNamed(node, registry))
        throw new ProblemError(problem('REFUSED', `nothing that this node is to run comes from ${registry}`));
      const sources = sourcesOf(await read(), registry) ?? [{ host: registry }];
      if (sources.some(({ password }) => password !== undefined))
        deps.log('info', 'registry_login_told', { node, registry });
      const [fault] = known;
      return fault
        ? sources.map((one) => ({ ...one, note: `registries.yaml of the cluster: ${fault.message}` }))
        : sources;
    },
    async login(text, login, actor) {
      const host = hostOf(text);
      const warning = await writable()
        .check(host, login, AbortSignal.timeout(patience))
        .then(
          () => undefined,
          (error: unknown) => {
            if (isProblemError(error) && error.problem.code === 'REGISTRY_UNREACHABLE') return error.problem.message;
            throw error;
          },
        );
      const changed = await writable().change(host, login);
      journal.add('registry_login', host, `${actor} logs in as ${login.username}`);
      return { registry: host, changed, ...(warning !== undefined && { unchecked: warning }) };
    },
    async logout(text, actor) {
      const host = hostOf(text);
      const changed = await writable().change(host, undefined);
      if (changed) journal.add('registry_logout', host, `by ${actor}`);
      return { registry: host, changed };
    },
  };
}
