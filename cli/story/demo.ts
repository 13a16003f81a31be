/** The demo applications: descriptors and what they run, for an Engine and for processes. No registry is needed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { demoServer, ensureDemoImage } from '../demo-image.ts';
import type { Marker } from '../local/marker.ts';

/** How demo services run, and where what they need lies. */
export type Stage =
  | { readonly kind: 'docker'; readonly socket: string }
  | { readonly kind: 'process'; readonly folder: string };

/** The stage of a cluster; `folder` is for the files of processes. */
export function stageOf(marker: Pick<Marker, 'runtime' | 'socket'>, folder: string): Stage {
  if (marker.runtime === 'docker' && marker.socket !== undefined) return { kind: 'docker', socket: marker.socket };
  return { kind: 'process', folder };
}

/** Makes the page of a version ready to be served: an image, or files. */
export async function preparePage(stage: Stage, version: number, html: string): Promise<void> {
  if (stage.kind === 'docker') {
    await ensureDemoImage(stage.socket, image(version), { html });
    return;
  }
  const site = siteFolder(stage.folder, version);
  await mkdir(site, { recursive: true });
  await writeFile(join(site, 'index.html'), html);
  await writeFile(serverFile(stage.folder), demoServer);
}

function image(version: number): string {
  return `oakctl/demo:${version}`;
}

function siteFolder(folder: string, version: number): string {
  return join(folder, `site-${version}`);
}

function serverFile(folder: string): string {
  return join(folder, 'server.cjs');
}

/** An application of one service. */
interface DemoApp {
  readonly app: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly replicas: number;
}

/** Descriptor of a web server that serves the page of a version on `port` of each node that has an instance. */
export function webDescriptor(
  stage: Stage,
  settings: DemoApp & { readonly version: number; readonly port: number },
): string {
  const { version, port, replicas } = settings;
  const code =
    stage.kind === 'docker'
      ? { virtualization: 'container', code: image(version), port: `${port}:80` }
      : {
          virtualization: 'process',
          code: process.execPath,
          cmd: [serverFile(stage.folder), '-h', siteFolder(stage.folder, version)],
          port: `${port}:${port}`,
        };
  return descriptor(settings, 'A web server that says its version', { microservice_name: 'web', ...code, replicas });
}

/** Descriptor of something that writes a line per second. */
export function tickerDescriptor(stage: Stage, settings: DemoApp): string {
  const code =
    stage.kind === 'docker'
      ? { virtualization: 'container', code: image(1), cmd: ['sh', '-c', 'while true; do echo tick; sleep 1; done'] }
      : {
          virtualization: 'process',
          code: process.execPath,
          cmd: ['-e', "setInterval(() => console.log('tick'), 1000)"],
        };
  const { replicas } = settings;
  return descriptor(settings, 'Writes a line per second', { microservice_name: 'ticker', ...code, replicas });
}

function descriptor(
  { app, namespace = 'default' }: DemoApp,
  description: string,
  service: Readonly<Record<string, unknown>>,
): string {
  const lines = Object.entries({ ...service, memory: 32, vcpus: 0.1, update: { settle: '1s' } }).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}`,
  );
  return `sla_version: v2.0
applications:
  - application_name: ${app}
    application_namespace: ${namespace}
    application_desc: ${description}
    microservices:
      - ${lines.join('\n        ')}
`;
}

/** The page of a version. */
export function page(version: number): string {
  return `<!doctype html>
<title>oakctl</title>
<h1>This is version ${version}</h1>
<p>It runs because a git repository says so.</p>
`;
}
