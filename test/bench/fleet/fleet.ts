/** The agents of a fleet, in a few processes. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromSimulator, Home, SimulatedNode, ToSimulator } from './simulated.ts';

export interface Fleet {
  readonly pids: readonly number[];
  connected(): number;
  refused(): number;
  /** Connections that ended so far. */
  ended(): number;
  /** Cuts so many connections in one moment. */
  cut(total: number): void;
  close(): void;
}

/** Agents that one process can be without being what is measured. */
const perProcess = 2_500;

export function startFleet(home: Home, nodes: readonly SimulatedNode[]): Fleet {
  const script = fileURLToPath(new URL('./simulated.js', import.meta.url));
  const states = new Map<ChildProcess, FromSimulator>();
  const count = Math.ceil(nodes.length / perProcess);
  const tell = (child: ChildProcess, message: ToSimulator): void => void child.send(message);
  for (let n = 0; n < count; n += 1) {
    const child = fork(script, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    states.set(child, { connected: 0, ended: 0, refused: 0 });
    child.on('message', (state: FromSimulator) => states.set(child, state));
    tell(child, { kind: 'start', home, nodes: nodes.filter((_, index) => index % count === n) });
  }
  const sum = (field: keyof FromSimulator): number =>
    [...states.values()].reduce((total, state) => total + state[field], 0);
  return {
    pids: [...states.keys()].map((child) => child.pid ?? 0),
    connected: () => sum('connected'),
    refused: () => sum('refused'),
    ended: () => sum('ended'),
    cut(total) {
      [...states.keys()].forEach((child, index) => {
        tell(child, { kind: 'cut', count: Math.floor(total / count) + (index < total % count ? 1 : 0) });
      });
    },
    close() {
      for (const child of states.keys()) child.kill('SIGKILL');
    },
  };
}
