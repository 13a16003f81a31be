/**
 * What tests share a machine with: other test files, other runs of all tests, and whatever else makes it slow. Names, ports and
 * addresses belong to one process; limits of time are those of a machine that has nothing else to do, stretched by how busy it is.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';

const mark = randomBytes(3).toString('hex');

/** A name that no other process has: Engines are shared, and containers are called as their instances. */
export function unique(word: string): string {
  return `${word}-${mark}`;
}

/** ms that an idle machine takes to start Node and end it. */
const usualStart = 60;

/** How many times slower than an idle machine this one is now; at least 1. */
export async function slowness(): Promise<number> {
  const began = performance.now();
  await new Promise((resolve) => spawn(process.execPath, ['-e', ''], { stdio: 'ignore' }).once('close', resolve));
  return Math.max(1, (performance.now() - began) / usualStart);
}

/**
 * Throws when the work takes longer than `fixed` ms (waiting that no machine shortens) and `work` ms (of an idle machine)
 * together. The work ends by itself: this ends nothing.
 */
export async function timely<T>(
  limit: { readonly what: string; readonly fixed?: number; readonly work: number },
  work: () => Promise<T>,
): Promise<T> {
  const before = await slowness();
  const began = performance.now();
  const result = await work();
  const took = performance.now() - began;
  const factor = Math.max(before, await slowness());
  const allowed = (limit.fixed ?? 0) + limit.work * factor;
  if (took <= allowed) return result;
  const times = factor.toFixed(1);
  throw new Error(`${limit.what} took ${Math.round(took)} ms, more than ${Math.round(allowed)} (slowness ${times})`);
}

const blockSize = 200;
const lowest = 11_000;
const blocks = 100;

let block: Promise<number> | undefined;

/** Number of the block of this process, which listens on the last port of it as long as it lives. */
function ownBlock(): Promise<number> {
  block ??= reserveBlock();
  return block;
}

async function reserveBlock(): Promise<number> {
  for (let number = 0; number < blocks; number += 1) {
    const last = lowest + number * blockSize + blockSize - 1;
    if (await listens(last)) return number;
  }
  throw new Error('no block of ports is free');
}

function listens(port: number): Promise<boolean> {
  const server = createServer();
  server.unref();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(true));
  });
}

/** A port of the block of this process, which nobody else tries; below those that the system gives to connections. */
export async function ownPort(offset: number): Promise<number> {
  if (offset < 0 || offset >= blockSize - 1) throw new Error(`a block has ${blockSize - 1} ports`);
  return lowest + (await ownBlock()) * blockSize + offset;
}

/** Third number of loopback addresses that belong to this process: 127.0.<number>.<n>. */
export async function ownAddresses(): Promise<number> {
  return 100 + (await ownBlock());
}
