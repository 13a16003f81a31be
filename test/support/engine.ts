/**
 * A real container engine for tests, and images that need no registry. Without an engine its tests are skipped where everybody
 * sees it; on a CI machine that is a failure, unless DOCKER_HOST itself names an engine that is not there.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { describe } from 'vitest';
import { ensureDemoImage } from '../../cli/demo-image.ts';

/** Unix sockets where an engine may listen, the named one alone if there is one. */
function candidates(): string[] {
  const host = process.env['DOCKER_HOST'];
  if (host) return host.startsWith('unix://') ? [host.slice('unix://'.length)] : [];
  const runtime = process.env['XDG_RUNTIME_DIR'];
  return [
    '/var/run/docker.sock',
    ...(runtime ? [join(runtime, 'docker.sock')] : []),
    join(homedir(), '.docker', 'run', 'docker.sock'),
  ];
}

let found: Promise<{ readonly socket: string } | undefined> | undefined;

/** The engine that tests use; looked for once. Throws on a CI machine that lost its engine. */
export function findEngine(): Promise<{ readonly socket: string } | undefined> {
  found ??= look();
  return found;
}

/** True when tests of the docker runtime can run. */
export async function engineAnswers(): Promise<boolean> {
  return (await findEngine()) !== undefined;
}

async function look(): Promise<{ readonly socket: string } | undefined> {
  for (const socket of candidates().filter((path) => existsSync(path))) {
    const docker = new Docker({ socketPath: socket, timeout: 3000 });
    if (
      await docker.ping().then(
        () => true,
        () => false,
      )
    )
      return { socket };
  }
  if (process.env['CI'] === 'true' && !process.env['DOCKER_HOST']) throw new Error('CI needs a container engine');
  return undefined;
}

/** The engine's socket. Call only where {@link engineAnswers}. */
export async function engineSocket(): Promise<string> {
  const engine = await findEngine();
  if (!engine) throw new Error('no container engine answers');
  return engine.socket;
}

/** A suite that needs an engine: gets its socket, or is skipped, visibly. */
export async function describeWithEngine(name: string, suite: (socket: string) => void): Promise<void> {
  const engine = await findEngine();
  describe.skipIf(!engine)(name, () => suite(engine?.socket ?? ''));
}

/** Makes an image that serves `text` on `port`; answers the tag. Fast when it is there already. */
export async function buildImage(
  tag: string,
  page: { readonly port?: number; readonly text: string; readonly command?: readonly string[] },
): Promise<string> {
  return ensureDemoImage(await engineSocket(), tag, { ...page, html: `${page.text}\n` });
}

/** `oakctl/test:1` and `:2` say their number on port 80; `:broken` ends at once with exit code 1. */
export async function buildTestImages(): Promise<{ one: string; two: string; broken: string }> {
  const [one, two, broken] = await Promise.all([
    buildImage('oakctl/test:1', { text: 'version 1' }),
    buildImage('oakctl/test:2', { text: 'version 2' }),
    buildImage('oakctl/test:broken', { text: 'broken', command: ['sh', '-c', 'echo broken >&2; exit 1'] }),
  ]);
  return { one, two, broken };
}
