/** Ports and loopback addresses for a cluster on this machine. */
import { createServer } from 'node:net';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** How far to look beyond a taken port. */
const range = 200;

/** True when nothing listens on the port of an address (and it may be bound). */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The first free port of an address from `wanted` on, leaving out `taken`. PORT_TAKEN when the next 200 are all in use. */
export async function freePort(wanted: number, taken: readonly number[] = [], host = '127.0.0.1'): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + range, 65_536); port += 1) {
    if (!taken.includes(port) && (await isFree(port, host))) return port;
  }
  throw new ProblemError(problem('PORT_TAKEN', `ports ${wanted} to ${wanted + range - 1} are all in use`));
}

/** Address of the n-th worker (from 1): 127.0.<block>.<10+n>. */
export function workerAddress(block: number, n: number): string {
  return `127.0.${block}.${10 + n}`;
}

/** Most workers that the addresses of one block suffice for. */
export const maxWorkers = 240;
