/** Who plays seeds: this process, or several of it. A seed is played the same by all of them. */
import { type ChildProcess, fork } from 'node:child_process';
import { bugNamed } from './bugs.ts';
import { type Outcome, play } from './play.ts';

/** Plays one seed at a time. */
export type Player = (seed: number, bug?: string) => Promise<Outcome>;

interface Task {
  readonly seed: number;
  readonly bug?: string;
}

const playHere: Player = (seed, bug) => play(seed, bug === undefined ? {} : { bug: bugNamed(bug) });

/** `lane` once for each of so many players, at the same time; one of them plays in this process. */
export async function withPlayers(jobs: number, lane: (player: Player) => Promise<void>): Promise<void> {
  const children = Array.from({ length: jobs === 1 ? 0 : jobs }, () => fork(process.argv[1] ?? '', ['--player']));
  try {
    await Promise.all(children.length === 0 ? [lane(playHere)] : children.map((child) => lane(playThere(child))));
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
  }
}

function playThere(child: ChildProcess): Player {
  return (seed, bug) =>
    new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the player of seed ${seed} ended with ${code}`));
      child.once('exit', ended);
      child.once('message', (outcome) => {
        child.off('exit', ended);
        resolve(outcome as Outcome);
      });
      child.send({ seed, ...(bug !== undefined && { bug }) } satisfies Task);
    });
}

/** The other side: plays what its parent asks for, until that leaves. */
export function servePlayer(): Promise<void> {
  process.on('message', (task) => {
    const { seed, bug } = task as Task;
    playHere(seed, bug).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => {
        console.error(`seed ${seed}:`, error);
        process.exit(1);
      },
    );
  });
  return new Promise((resolve) => void process.once('disconnect', resolve));
}
