/**
 * Starts the broker in a process of its own and keeps it running on the same port. A crash of the broker costs its clients one
 * reconnect; what it held is put back by those who own it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { urlHost } from '../../schemas/addresses.ts';
import type { Log } from '../../schemas/io/log.ts';
import type { Clock, Random } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ServerTls } from '../tls/material.ts';
import { reachableHost } from '../tls/names.ts';
import type { BrokerLimits } from './limits.ts';
import { type FromBroker, type NodeAccess, reconcilerUser, type ToBroker } from './messages.ts';

export interface BrokerOptions {
  /** IP address or `localhost`. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly credentialKey: Uint8Array;
  /** Clients must speak TLS. Without it: plain MQTT. */
  readonly tls?: ServerTls;
  /** Instead of the broker's own bounds. */
  readonly limits?: BrokerLimits;
  /** Of the user `operator`. Absent: there is none. */
  readonly operatorPassword?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Told when the process ended by itself; it is started again. */
  readonly onExit?: (reason: string) => void;
  /** Told that a second agent with the identity of a node was turned away, and the address that it came from. */
  readonly onContested?: (node: string, from: string) => void;
  /** Told that somebody has a password of a node of which nothing is known any more. */
  readonly onForgotten?: (node: string) => void;
  /** Told the pid of each process once it listens. */
  readonly onStart?: (pid: number) => void;
  /** The compiled child.js, where it does not lie beside this file. */
  readonly script?: string;
}

export interface Broker {
  readonly port: number;
  /** Where the reconciler connects, and as whom. The password is new in every process. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Nodes that may connect, with their least valid serials. Whoever is not in the list is refused at the next connect. */
  setNodes(nodes: readonly NodeAccess[]): void;
  /** Shows this certificate from the next connection on. */
  setTls(tls: ServerTls): void;
  /** Cuts a node's connection. */
  disconnect(node: string): void;
  /** How often the process was started again. */
  restarts(): number;
  /** Ends the process. */
  close(): Promise<void>;
}

const firstDelay = 50;
const longestDelay = 5_000;
const stableAfter = 30_000;
const startTimeout = 15_000;
const closeTimeout = 3_000;

/** Resolves once the broker listens. PORT_TAKEN when the port is in use, SETTINGS_INVALID when the address cannot be had. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { host, clock, random, log = () => undefined } = options;
  if (isIP(host) === 0 && host !== 'localhost') {
    throw new ProblemError(
      problem('SETTINGS_INVALID', `mqtt.host is not an IP address: ${JSON.stringify(host)}`, {
        hint: 'mqtt.host: 127.0.0.1',
      }),
    );
  }
  const password = Buffer.from(random.bytes(32)).toString('base64url');
  let nodes: readonly NodeAccess[] = [];
  let child: ChildProcess | undefined;
  let { port, tls } = options;
  let insidePort: number | undefined;
  let restarts = 0;
  let crashes = 0;
  let closed = false;
  let cancel = (): void => undefined;

  const start = async (): Promise<void> => {
    const started = spawnBroker(options.script);
    const credentialKey = Buffer.from(options.credentialKey).toString('base64');
    child = started;
    send(started, {
      kind: 'start',
      host,
      port,
      credentialKey,
      reconcilerPassword: password,
      nodes,
      ...(options.operatorPassword !== undefined && { operatorPassword: options.operatorPassword }),
      ...(tls && { tls }),
      ...(options.limits && { limits: options.limits }),
      ...(insidePort !== undefined && { insidePort }),
    });
    const answer = await firstAnswer(started, clock);
    if (answer.kind === 'refused') throw refused(host, port, answer.code);
    port = answer.port;
    insidePort = answer.insidePort;
    options.onStart?.(started.pid ?? 0);
    started.on('message', (message) => {
      const notice = message as FromBroker;
      if (notice.kind === 'contested') options.onContested?.(notice.node, notice.from);
      if (notice.kind === 'forgotten') options.onForgotten?.(notice.node);
      if (notice.kind !== 'noticed') return;
      const { client, what, times } = notice;
      log('warn', 'the broker refused something', { client, what, times });
    });
    started.once('exit', (code, signal) => {
      if (closed || child !== started) return;
      child = undefined;
      cancel();
      restarts += 1;
      const reason = `the broker process ended (${signal ?? `code ${code}`})`;
      log('error', reason, { restarts });
      options.onExit?.(reason);
      again();
    });
    cancel = clock.after(stableAfter, () => {
      crashes = 0;
    });
  };
  const again = (): void => {
    const delay = crashes === 0 ? 0 : Math.min(longestDelay, firstDelay * 2 ** Math.min(crashes, 10));
    crashes += 1;
    cancel = clock.after(delay, () => {
      start().catch((error: unknown) => {
        log('error', 'the broker cannot be started', { reason: String(error) });
        if (!closed) again();
      });
    });
  };

  await start();
  return {
    get port() {
      return port;
    },
    get url() {
      return insidePort === undefined
        ? `mqtt://${urlHost(reachableHost(host))}:${port}`
        : `mqtt://127.0.0.1:${insidePort}`;
    },
    username: reconcilerUser,
    password,
    restarts: () => restarts,
    setNodes(list) {
      nodes = list;
      if (child) send(child, { kind: 'nodes', nodes });
    },
    setTls(next) {
      tls = next;
      if (child) send(child, { kind: 'tls', tls });
    },
    disconnect(node) {
      if (child) send(child, { kind: 'disconnect', node });
    },
    async close() {
      closed = true;
      cancel();
      const last = child;
      child = undefined;
      if (last) await stop(last, clock);
    },
  };
}

function spawnBroker(script = fileURLToPath(new URL('./child.js', import.meta.url))): ChildProcess {
  const { PATH = '' } = process.env;
  return fork(script, [], { execArgv: [], env: { PATH }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

function send(child: ChildProcess, message: ToBroker): void {
  // A child that is just going away is started again with all of this.
  if (child.connected) child.send(message, () => undefined);
}

function firstAnswer(
  child: ChildProcess,
  clock: Clock,
): Promise<Extract<FromBroker, { kind: 'listening' } | { kind: 'refused' }>> {
  return new Promise((resolve, reject) => {
    const finish = (work: () => void): void => {
      cancel();
      child.off('exit', onExit);
      work();
    };
    const onExit = (code: number | null): void =>
      finish(() => reject(new Error(`the broker process ended before it listened (code ${code})`)));
    const cancel = clock.after(startTimeout, () =>
      finish(() => {
        child.kill('SIGKILL');
        reject(new Error(`the broker did not listen within ${startTimeout} ms`));
      }),
    );
    child.once('exit', onExit);
    child.on('error', (error) => finish(() => reject(error)));
    child.once('message', (message) =>
      finish(() => resolve(message as Extract<FromBroker, { kind: 'listening' } | { kind: 'refused' }>)),
    );
  });
}

function stop(child: ChildProcess, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(closeTimeout, () => child.kill('SIGKILL'));
    child.once('exit', () => {
      cancel();
      resolve();
    });
    if (child.exitCode !== null || child.signalCode !== null) {
      cancel();
      resolve();
      return;
    }
    send(child, { kind: 'close' });
  });
}

function refused(host: string, port: number, code: string): ProblemError {
  const where = `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return new ProblemError(
      problem('PORT_TAKEN', `the MQTT port ${where} is in use`, {
        subject: where,
        hint: 'another cluster? choose another mqtt.port in cluster.yaml (0 takes any free one)',
      }),
    );
  }
  return new ProblemError(
    problem('SETTINGS_INVALID', `cannot listen for MQTT on ${where} (${code})`, {
      subject: where,
      hint: code === 'EACCES' ? 'ports below 1024 need rights' : 'mqtt.host is an address of this machine',
    }),
  );
}
