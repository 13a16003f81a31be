/**
 * An image for demonstrations and tests that needs no registry: a page behind `httpd`, assembled from what this machine has.
 * With busybox it is about 2 MB; without, it is this very node binary with its libraries, which answers to the same commands.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { type TarEntry, tar } from '../schemas/io/tar.ts';
import { ProblemError, problem } from '../schemas/problem.ts';

const run = promisify(execFile);

/** What the image serves, and what it starts. */
export interface DemoPage {
  /** Text of `/index.html`. */
  readonly html: string;
  /** Port inside the container; default 80. */
  readonly port?: number;
  /** Instead of serving the page. */
  readonly command?: readonly string[];
  /** Folders in which programs are looked for; default: PATH, and where systems keep them. */
  readonly folders?: readonly string[];
}

/** Label with the hash of what the image was assembled from. */
const contentLabel = 'io.oakctl.content';

/**
 * Makes sure that `tag` (`name:tag`) exists on the engine with this page, and answers it. An image with the same content is
 * left alone. Throws UNAVAILABLE when this machine has nothing to assemble it from.
 */
export async function ensureDemoImage(socket: string, tag: string, page: DemoPage): Promise<string> {
  const { default: Engine } = await import('dockerode');
  const docker = new Engine({ socketPath: socket });
  const folders = page.folders ?? programFolders();
  const base = (await busyboxBase(folders)) ?? nodeBase(folders);
  const port = page.port ?? 80;
  const command = page.command ?? ['httpd', '-f', '-p', String(port), '-h', '/www'];
  const content = createHash('sha256')
    .update(JSON.stringify([base.key, page.html, command]))
    .digest('hex');
  const before = await find(docker, tag);
  if (before?.content === content) return tag;
  await importImage(
    docker,
    tag,
    [...(await base.entries()), ...pageEntries(page.html)],
    [`CMD ${JSON.stringify(command)}`, 'ENV PATH=/bin', `EXPOSE ${port}`, `LABEL ${contentLabel}=${content}`],
  );
  // The tag has moved on. What it named before was ours, and goes unless a container still uses it.
  if (before?.content)
    await docker
      .getImage(before.id)
      .remove()
      .catch(() => {});
  return tag;
}

/** The text of a small web server for node: `node <file> -p <port> -h <folder> [-a <address>]`. Also for demos without an engine. */
export const demoServer = `
const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');
const option = (name, fallback) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : fallback;
};
const folder = option('-h', '/www');
const server = createServer((request, response) => {
  const path = new URL(request.url, 'http://demo').pathname;
  const name = path.endsWith('/') ? path + 'index.html' : path;
  try {
    const body = readFileSync(folder + name);
    response.writeHead(200, { 'content-type': name.endsWith('.html') ? 'text/html; charset=utf-8' : 'text/plain' });
    response.end(body);
  } catch {
    response.writeHead(404).end('not found\\n');
  }
});
server.listen(Number(option('-p', process.env.PORT || '80')), option('-a', process.env.OAK_IP || '0.0.0.0'));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
`.trimStart();

interface Base {
  /** Changes when the assembled base would. */
  readonly key: string;
  entries(): Promise<TarEntry[]>;
}

async function busyboxBase(folders: readonly string[]): Promise<Base | undefined> {
  const path = await findProgram('busybox', folders);
  if (!path) return undefined;
  const listed = await run(path, ['--list']).catch(() => ({ stdout: '' }));
  const applets = listed.stdout.split('\n').filter(Boolean);
  if (!applets.includes('httpd') || !applets.includes('sh')) return undefined;
  const content = await readFile(path);
  return {
    key: createHash('sha256').update(content).digest('hex'),
    entries: async () => [
      { path: 'bin/busybox', kind: 'file', content, mode: 0o755 },
      ...applets
        .filter((name) => name !== 'busybox' && !name.includes('/'))
        .map((name): TarEntry => ({ path: `bin/${name}`, kind: 'link', target: 'busybox' })),
      ...(await libraries([path])),
    ],
  };
}

/** Programs that descriptors of the seeds use beside the server. Taken along when the machine has them. */
const companions = ['sh', 'tail', 'sleep', 'cat'];

function nodeBase(folders: readonly string[]): Base {
  if (process.platform !== 'linux')
    throw new ProblemError(
      problem('UNAVAILABLE', `a demo image cannot be assembled from the programs of ${process.platform}`, {
        hint: 'put an image of a registry into the descriptor, e.g. docker.io/library/nginx:alpine',
      }),
    );
  return {
    key: `node ${process.version} ${process.arch} ${createHash('sha256').update(demoServer).digest('hex')}`,
    entries: () => nodeEntries(folders),
  };
}

async function nodeEntries(folders: readonly string[]): Promise<TarEntry[]> {
  const found = await Promise.all(companions.map(async (name) => ({ name, path: await findProgram(name, folders) })));
  const programs = found.flatMap(({ name, path }) => (path ? [{ name, path }] : []));
  const all = [{ name: 'node', path: process.execPath }, ...programs];
  const files = all.map(
    async ({ name, path }): Promise<TarEntry> => ({
      path: `bin/${name}`,
      kind: 'file',
      content: await readFile(path),
      mode: 0o755,
    }),
  );
  const httpd = '#!/bin/sh\nexec /bin/node /srv/http.cjs "$@"\n';
  return [
    ...(await Promise.all(files)),
    { path: 'bin/httpd', kind: 'file', content: Buffer.from(httpd), mode: 0o755 },
    { path: 'srv', kind: 'folder' },
    { path: 'srv/http.cjs', kind: 'file', content: Buffer.from(demoServer) },
    ...(await libraries(all.map(({ path }) => path))),
  ];
}

function pageEntries(html: string): TarEntry[] {
  return [
    { path: 'www', kind: 'folder' },
    { path: 'www/index.html', kind: 'file', content: Buffer.from(html) },
    { path: 'tmp', kind: 'folder', mode: 0o1777 },
    { path: 'etc', kind: 'folder' },
    { path: 'etc/passwd', kind: 'file', content: Buffer.from('root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:\n') },
  ];
}

/** The shared libraries of programs, at the places where the loader looks for them. None for static ones. */
async function libraries(programs: readonly string[]): Promise<TarEntry[]> {
  const listed = await Promise.all(
    // Fails for a static program: it has none.
    programs.map((program) =>
      run('ldd', [program]).then(
        ({ stdout }) => libraryPaths(stdout),
        () => [],
      ),
    ),
  );
  const paths = [...new Set(listed.flat())].sort();
  return Promise.all(
    paths.map(
      async (path): Promise<TarEntry> => ({
        path: path.slice(1),
        kind: 'file',
        content: await readFile(path),
        mode: 0o755,
      }),
    ),
  );
}

/** Absolute paths in what `ldd` prints, of glibc and of musl. */
export function libraryPaths(text: string): string[] {
  return text.split('\n').flatMap((line) => /(?:=>\s*|^\s*)(\/\S+)\s+\(0x/.exec(line)?.[1] ?? []);
}

function programFolders(): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  return [...path, '/bin', '/usr/bin', '/sbin', '/usr/sbin'].filter((folder) => folder.startsWith('/'));
}

async function findProgram(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

async function find(docker: Docker, tag: string): Promise<{ id: string; content: string | undefined } | undefined> {
  try {
    const image = await docker.getImage(tag).inspect();
    return { id: image.Id, content: (image.Config.Labels as Record<string, string> | null)?.[contentLabel] };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw unreachable(error);
  }
}

async function importImage(
  docker: Docker,
  name: string,
  entries: readonly TarEntry[],
  changes: string[],
): Promise<void> {
  const colon = name.lastIndexOf(':');
  const options = { repo: name.slice(0, colon), tag: name.slice(colon + 1), changes };
  try {
    const stream = await docker.importImage(Readable.from(tar(entries)), options);
    const failure = await lastError(stream);
    if (failure) throw new Error(failure);
  } catch (error) {
    throw unreachable(error);
  }
}

/** The error that the engine sent in its progress, if any. */
async function lastError(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  const failed = text.split('\n').find((line) => line.includes('"error"'));
  return failed && (JSON.parse(failed) as { error: string }).error;
}

function unreachable(cause: unknown): ProblemError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ProblemError(problem('RUNTIME_UNAVAILABLE', `the engine does not take the demo image: ${why}`), { cause });
}
