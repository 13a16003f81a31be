/** `npm start`: a cluster, a demo application from its repository, addresses, next commands, live events. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import { changeContexts } from '../contexts.ts';
import { defaultName } from '../local/choose.ts';
import { localPaths } from '../local/folders.ts';
import { requireMarker } from '../local/marker.ts';
import { type UpReport, up } from '../local/up.ts';
import { createProgress } from '../progress.ts';
import { renderEvent } from '../render/events.ts';
import type { Paint } from '../render/paint.ts';
import { progressLines } from '../render/progress.ts';
import { waitForOutcomes } from '../services/outcome.ts';
import { commonPort, openApi, program, urlsOf } from './cluster.ts';
import { page, preparePage, stageOf, webDescriptor } from './demo.ts';
import { checkOut, type WorkingCopy } from './repository.ts';

export interface DemoOptions {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly runtime?: RuntimeName;
  readonly print: (text: string) => void;
  readonly paint: Paint;
}

const web = 'hello.default.web.default';
const file = 'hello.yaml';
const patience = 120_000;

/** Brings everything up and then prints events until the signal aborts or the reconciler goes. */
export async function playDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const { home, env, print } = options;
  print('Bringing up a cluster on this machine ...');
  const runtime = options.runtime === undefined ? {} : { runtime: options.runtime };
  const report = await up({ home, name: defaultName, env, program, say: print, ...runtime }, signal);
  await changeContexts(home, (contexts) => ({ ...contexts, current: defaultName }));
  const api = await openApi(home, defaultName);
  const copy = await pushDemo(home, report, print);
  await api.sync(signal);
  await waitForDemo(api, options, signal);
  const urls = urlsOf(await api.services([], signal), web);
  print(summary(report, copy, urls, options.paint));
  await watch(api, options, signal);
}

/** Pushes the demo application unless the repository has it already; the user may have changed it. */
async function pushDemo(home: string, report: UpReport, print: (text: string) => void): Promise<WorkingCopy> {
  const paths = localPaths(home, report.name);
  const stage = stageOf(await requireMarker(paths), join(paths.folder, 'demo-files'));
  await preparePage(stage, 1, page(1));
  await preparePage(stage, 2, page(2));
  const copy = await checkOut(report.repository, join(paths.folder, 'demo'));
  const old = await readFile(join(copy.folder, file), 'utf8').catch(() => undefined);
  if (old !== undefined) return copy;
  const port = await commonPort(
    8080,
    report.workers.map(({ ip }) => ip),
  );
  const replicas = Math.min(2, report.workers.length);
  const text = webDescriptor(stage, { app: 'hello', version: 1, port, replicas });
  const commit = await copy.push({ [file]: text }, 'A demo application');
  print(`Pushed ${file} to the cluster's repository (${commit.slice(0, 7)}).`);
  return copy;
}

async function waitForDemo(api: ApiClient, options: DemoOptions, signal: AbortSignal): Promise<void> {
  const view = (await api.services([], signal)).find(({ name }) => name === web);
  if (!view) return;
  const progress = createProgress(process.stderr);
  const show = (outcomes: Parameters<typeof progressLines>[0]) => progress.show(progressLines(outcomes, options.paint));
  await waitForOutcomes(api, [view], { timeout: patience, interval: 200, progress: show }, signal);
  progress.end();
}

function summary(report: UpReport, copy: WorkingCopy, urls: readonly string[], paint: Paint): string {
  const workers = report.workers.map(({ name, ip }) => `${name} ${ip}`).join(', ');
  return `
${paint.strong(`The cluster ${report.name} is up`)} (${workers}; runtime ${report.runtime})
  application  ${urls.join('  ') || 'not running yet, see `npx oakctl services inspect hello`'}
  API          ${report.api}
  repository   ${report.repository}
  your clone   ${copy.folder}

Try, in another terminal:
  npx oakctl status
  npx oakctl instances ls
  (cd ${copy.folder} && sed -i s/${report.runtime === 'docker' ? 'demo:1/demo:2' : 'site-1/site-2'}/ ${file} && git commit -am 'Version 2' && git push)
  npx oakctl stop worker-1 --hard    and after a quarter of a minute: npx oakctl instances ls
  npx oakctl up worker-1
  npx oakctl down
`;
}

/** Events from now on. */
async function watch(api: ApiClient, { print, paint }: DemoOptions, signal: AbortSignal): Promise<void> {
  print('What happens from now on (Ctrl-C ends watching, the cluster stays):');
  try {
    for await (const event of api.events({ after: 'latest', follow: true }, signal)) print(renderEvent(event, paint));
  } catch (error) {
    if (!isProblemError(error)) throw error;
    print('The reconciler has gone; `npx oakctl up` starts it again.');
  }
}
