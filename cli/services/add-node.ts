/** `oakctl nodes add`: packages, a token, and the line that brings both to a machine. */
import type { TokenAnswer } from '../../schemas/api.ts';
import type { ApiClient, TokenRequest } from '../../schemas/io/api-client.ts';
import type { TlsAnswer } from '../../schemas/joining.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { apiForOthers, downloadOrigin, joinLine, type NodeWish } from './join-line.ts';

export interface AddedNode {
  readonly line: string;
  /** Of the token: see `nodes token ls`. */
  readonly id: string;
  /** ms since 1970. */
  readonly expires: number;
  /** URL of the API in the line. */
  readonly api: string;
  /** Of machines that there are packages for. */
  readonly architectures: readonly string[];
  /** The node whose place the new machine takes. */
  readonly replaces?: NonNullable<TokenAnswer['replaces']>;
  /** Secrets that services use: the new machine makes its own age identity, and none is encrypted for it yet. */
  readonly secrets: readonly string[];
  /** Secrets that services take from files of their nodes: somebody has to put them on the new machine. */
  readonly node_secrets: readonly string[];
}

export interface AddWish {
  readonly node: NodeWish;
  readonly token: Omit<TokenRequest, 'name'>;
  readonly address?: string;
  warn(found: Problem): void;
  say(text: string): void;
}

/** How long packing may take before somebody is told why nothing happens. ms. */
const quiet = 500;

/** The token is made last: nothing is left over of a cluster that cannot be reached or has no package. REFUSED, UNAVAILABLE, NAME_TAKEN. */
export async function addNode(api: ApiClient, wish: AddWish, signal: AbortSignal): Promise<AddedNode> {
  const tls = await tlsOf(api, signal);
  const url = apiForOthers(api.url, wish.address, tls);
  const timer = setTimeout(() => wish.say('Making the package for machines like that of the reconciler ...'), quiet);
  const stock = await api.packages(signal).finally(() => clearTimeout(timer));
  const architectures = stock.items.map(({ arch }) => arch);
  if (stock.problem) {
    if (architectures.length === 0) throw new ProblemError(stock.problem);
    wish.warn(stock.problem);
  }
  if (architectures.length === 0) throw new ProblemError(problem('UNAVAILABLE', 'there are no packages'));
  const services = await api.services([], signal);
  const { name } = wish.node;
  const { token, id, expires, replaces } = await api.createToken(
    { ...wish.token, ...(name !== undefined && { name }) },
    signal,
  );
  const line = joinLine({
    api: url,
    origin: downloadOrigin(url, tls),
    token,
    installer: stock.installer,
    node: wish.node,
  });
  return {
    ...{ line, id, expires, api: url, architectures, ...(replaces && { replaces }) },
    secrets: sorted(services.flatMap((service) => service.secrets ?? [])),
    node_secrets: sorted(services.flatMap((service) => service.node_secrets ?? [])),
  };
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

/** undefined: the cluster speaks no TLS. */
async function tlsOf(api: ApiClient, signal: AbortSignal): Promise<TlsAnswer | undefined> {
  return api.tls(signal).catch((error: unknown) => {
    if (isProblemError(error) && error.problem.code === 'NOT_FOUND') return undefined;
    throw error;
  });
}
