/** `npm start -- --once`: a cluster of its own plays the whole story by itself and is taken down again. */

import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import { localPaths } from '../local/folders.ts';
import { requireMarker } from '../local/marker.ts';
import { down, stopWorker } from '../local/stop.ts';
import { type UpReport, up } from '../local/up.ts';
import { count } from '../render/counts.ts';
import { commonPort, openApi, program, unanswered, unsettled, urlsOf } from './cluster.ts';
import { page, preparePage, type Stage, stageOf, tickerDescriptor, webDescriptor } from './demo.ts';
import { checkOut, type WorkingCopy } from './repository.ts';
import { createSteps, type Steps, until } from './until.ts';

export interface OnceOptions {
  readonly runtime?: RuntimeName;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
}

/** ms for a step: generous, for a machine that does other things as well. */
const patience = 120_000;

interface Play {
  readonly home: string;
  readonly report: UpReport;
  readonly api: ApiClient;
  readonly stage: Stage;
  readonly copy: WorkingCopy;
  readonly port: number;
  readonly steps: Steps;
  /** Of the cluster, and of the applications' namespace: containers are called by it, and the Engine may have other users. */
  readonly name: string;
  readonly web: string;
  readonly ticker: string;
}

/** Plays the story. Throws at the first step that fails; then the logs stay and `print` says where. */
export async function playOnce(options: OnceOptions, signal: AbortSignal): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'oakctl-once-'));
  const name = `once-${randomBytes(3).toString('hex')}`;
  const steps = createSteps(8, options.print, signal);
  const started = performance.now();
  let isWell = false;
  try {
    const play = await raise({ home, name, steps }, options, signal);
    await startTwo(play, signal);
    await answers(play, signal);
    await update(play, signal);
    await loseWorker(play, signal);
    await scale(play, signal);
    await remove(play, signal);
    isWell = true;
  } finally {
    await takeDown({ home, name, steps }, isWell ? 'well' : signal.aborted ? 'interrupted' : 'failed', options.print);
  }
  options.print(`The whole story took ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

interface Setting {
  readonly home: string;
  readonly name: string;
  readonly steps: Steps;
}

function raise({ home, name, steps }: Setting, options: OnceOptions, signal: AbortSignal): Promise<Play> {
  return steps.step('bring up a cluster', async () => {
    const { env, print } = options;
    const runtime = options.runtime === undefined ? {} : { runtime: options.runtime };
    // A block of addresses of its own: other clusters of this machine may publish the same ports.
    const block = randomInt(1, 250);
    // And ports: who begins at the usual ones at the same moment finds the same ones free. Below those of connections.
    const api = randomInt(31_000, 31_800);
    const ports = { api, mqtt: api + 800 };
    const report = await up({ home, name, env, program, block, ports, ...runtime, say: print }, signal);
    const paths = localPaths(home, name);
    const stage = stageOf(await requireMarker(paths), join(paths.folder, 'demo-files'));
    const copy = await checkOut(report.repository, join(home, 'working-copy'));
    const addresses = report.workers.map(({ ip }) => ip);
    const play = {
      home,
      report,
      stage,
      copy,
      steps,
      api: await openApi(home, name),
      port: await commonPort(8080, addresses),
      name,
      web: `demo.${name}.web.default`,
      ticker: `clock.${name}.ticker.default`,
    };
    return {
      value: play,
      said: `${report.workers.length} workers online, runtime ${report.runtime}, API ${report.api}`,
    };
  });
}

function startTwo(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('push two applications', async () => {
    await preparePage(play.stage, 1, page(1));
    const commit = await play.copy.push(
      { 'web.yaml': webText(play, 1), 'clock.yaml': ticking(play, 1) },
      'Two applications',
    );
    await settled(
      play,
      [
        { name: play.web, count: 2 },
        { name: play.ticker, count: 1 },
      ],
      signal,
    );
    return {
      value: undefined,
      said: `commit ${commit.slice(0, 7)} runs: 2 instances of ${play.web}, 1 of ${play.ticker}`,
    };
  });
}

function answers(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('ask over HTTP', async () => {
    const urls = await answering(play, 'version 1', signal);
    return { value: undefined, said: `${urls.join(' and ')} say "version 1"` };
  });
}

function update(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('change the repository', async () => {
    await preparePage(play.stage, 2, page(2));
    const commit = await play.copy.push({ 'web.yaml': webText(play, 2) }, 'Version 2');
    await settled(play, [{ name: play.web, count: 2, commit }], signal);
    const urls = await answering(play, 'version 2', signal);
    return { value: undefined, said: `after commit ${commit.slice(0, 7)} ${urls.join(' and ')} say "version 2"` };
  });
}

function loseWorker(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('kill a worker', async () => {
    const before = await play.api.service(play.web, signal);
    const victim = before.instances.find(({ node }) => node !== undefined)?.node ?? '';
    const { copies } = await stopWorker({ home: play.home, name: play.report.name, worker: victim, hard: true });
    await settled(
      play,
      [
        { name: play.web, count: 2, avoid: victim },
        { name: play.ticker, count: 1, avoid: victim },
      ],
      signal,
    );
    await answering(play, 'version 2', signal);
    const after = await play.api.service(play.web, signal);
    const nodes = after.instances.map(({ node }) => node).join(' and ');
    return {
      value: undefined,
      said: `${victim} is gone with ${count(copies, 'instance')}; ${play.web} now runs on ${nodes}`,
    };
  });
}

function scale(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('scale by push', async () => {
    await play.copy.push({ 'clock.yaml': ticking(play, 3) }, 'Three clocks');
    await settled(play, [{ name: play.ticker, count: 3 }], signal);
    return { value: undefined, said: `${play.ticker} has 3 instances instead of 1` };
  });
}

function remove(play: Play, signal: AbortSignal): Promise<void> {
  return play.steps.step('delete one application by push', async () => {
    const before = urlsOf(await play.api.services([], signal), play.web);
    await play.copy.push({ 'clock.yaml': undefined }, 'No clocks');
    await until(
      async () => {
        const left = (await play.api.instances([], signal)).filter(
          ({ service, status }) => service === play.ticker && !['stopped', 'lost', 'missing'].includes(status),
        );
        return left.map((instance) => `${instance.name} is ${instance.status}`).join(', ');
      },
      patience,
      signal,
    );
    await settled(play, [{ name: play.web, count: 2 }], signal);
    const after = urlsOf(await play.api.services([], signal), play.web);
    if (String(after) !== String(before)) throw new Error(`${play.web} moved from ${before} to ${after}`);
    return { value: undefined, said: `no instance of ${play.ticker} runs any more; ${play.web} was left alone` };
  });
}

type End = 'well' | 'failed' | 'interrupted';

/** Always takes the cluster down. Only a story that failed leaves its folder, for the logs in it. */
async function takeDown({ home, name, steps }: Setting, end: End, print: (text: string) => void): Promise<void> {
  const paths = localPaths(home, name);
  const isThere = await requireMarker(paths).then(
    () => true,
    () => false,
  );
  if (!isThere) return rm(home, { recursive: true, force: true });
  if (end === 'failed') {
    await down({ home, name, purge: false });
    print(`The cluster is taken down; its logs stay in ${paths.logs}.`);
    return;
  }
  const takeIt = async () => {
    const { copies, networks, ended } = await down({ home, name, purge: true });
    await rm(home, { recursive: true, force: true });
    const said = `ended ${ended.join(', ')}; removed ${count(copies, 'instance')} and ${count(networks, 'network')}`;
    return { value: undefined, said };
  };
  if (end === 'well') await steps.step('take it down', takeIt);
  else print(`Interrupted: ${(await takeIt()).said}`);
}

function webText(play: Play, version: number): string {
  return webDescriptor(play.stage, { app: 'demo', namespace: play.name, version, port: play.port, replicas: 2 });
}

function ticking(play: Play, replicas: number): string {
  return tickerDescriptor(play.stage, { app: 'clock', namespace: play.name, replicas });
}

function settled(
  play: Play,
  wanted: readonly {
    readonly name: string;
    readonly count: number;
    readonly commit?: string;
    readonly avoid?: string;
  }[],
  signal: AbortSignal,
): Promise<void> {
  return until(
    async () => {
      const services = await play.api.services([], signal);
      return wanted.map((one) => unsettled(services, one)).find(Boolean);
    },
    patience,
    signal,
  );
}

/** URLs of the web service once every one of them says the text. */
async function answering(play: Play, text: string, signal: AbortSignal): Promise<readonly string[]> {
  let urls: readonly string[] = [];
  await until(
    async () => {
      urls = urlsOf(await play.api.services([], signal), play.web);
      if (urls.length < 2) return `${urls.length} of 2 addresses are known`;
      return (await Promise.all(urls.map((url) => unanswered(url, text, signal)))).find(Boolean);
    },
    patience,
    signal,
  );
  return urls;
}
