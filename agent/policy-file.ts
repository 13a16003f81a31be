/**
 * policy.yaml from the node's disk. It decides who gets parts of the host, so it counts only if nobody but root and the agent's
 * own user can write it. What is wrong with it keeps no node from starting: it only grants nothing, and nothing new is made.
 */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type FileFault, readGuarded, shownMode } from '../schemas/io/guarded-file.ts';
import { closedPolicy, emptyPolicy, type NodePolicy, parsePolicy } from '../schemas/policy.ts';
import { type Problem, problem } from '../schemas/problem.ts';

/** Longest policy that is read, in bytes. */
const longest = 256 * 1024;

/** The policy in force, and what is wrong with the file. Without a file nothing is granted, any image is taken, and nothing is wrong. */
export async function readPolicy(file: string): Promise<{
  readonly policy: NodePolicy;
  readonly problems: readonly Problem[];
}> {
  const found = await readGuarded(file, longest, async (info) => writableBy(file, info) ?? (await folderFault(file)));
  if (found === undefined) return { policy: emptyPolicy, problems: [] };
  if ('why' in found) {
    const { why, hint } = found;
    const message = `${why}: nothing is granted, and no image is accepted`;
    return {
      policy: closedPolicy,
      problems: [problem('POLICY_INVALID', message, { file, ...(hint ? { hint } : {}) })],
    };
  }
  const { policy, problems } = parsePolicy(found.text, file);
  return { policy: policy ?? closedPolicy, problems };
}

const stickyBit = 0o1000;
const writeByOthers = 0o022;

function writableBy(path: string, { uid, mode }: Stats): FileFault | undefined {
  const ours = process.getuid?.();
  if (uid !== 0 && uid !== ours) {
    return { why: `it belongs to user ${uid}, and not to root or to the agent's user`, hint: `chown root ${path}` };
  }
  if ((mode & writeByOthers) === 0) return undefined;
  return { why: `others than its owner may write it (mode ${shownMode(mode)})`, hint: `chmod go-w ${path}` };
}

/** Who may write the folder may put another file in its place. */
async function folderFault(file: string): Promise<FileFault | undefined> {
  const folder = dirname(file);
  const info = await stat(folder);
  if ((info.mode & stickyBit) !== 0) return undefined;
  const fault = writableBy(folder, info);
  return fault && { ...fault, why: `its folder: ${fault.why}` };
}
