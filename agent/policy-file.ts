/**
 * policy.yaml from the node's disk. It decides who gets parts of the host, so it counts only if nobody but root and the agent's
 * own user can write it. What is wrong with it keeps no node from starting: it only grants nothing.
 */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { emptyPolicy, type NodePolicy, parsePolicy } from '../schemas/policy.ts';
import { type Problem, problem } from '../schemas/problem.ts';

/** Longest policy that is read, in bytes. */
const longest = 256 * 1024;

/** The policy in force, and what is wrong with the file. Without a file nothing is granted, and nothing is wrong. */
export async function readPolicy(file: string): Promise<{
  readonly policy: NodePolicy;
  readonly problems: readonly Problem[];
}> {
  const refused = (why: string, hint?: string) => ({
    policy: emptyPolicy,
    problems: [problem('POLICY_INVALID', `${why}: nothing is granted`, { file, ...(hint ? { hint } : {}) })],
  });
  try {
    // No link is followed, and what was judged is what is read.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (!info.isFile()) return refused('it is no file');
      const open = writableBy(info) ?? folderFault(await stat(dirname(file)));
      if (open) return refused(open.why, open.hint(file));
      if (info.size > longest) return refused(`it is ${info.size} bytes long, at most ${longest} are read`);
      const { policy, problems } = parsePolicy(await handle.readFile('utf8'), file);
      return { policy: policy ?? emptyPolicy, problems };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { policy: emptyPolicy, problems: [] };
    if (code === 'ELOOP') return refused('it is a link, and links are not followed');
    if (code === undefined) throw error;
    return refused(`it cannot be read (${code})`);
  }
}

interface Fault {
  readonly why: string;
  readonly hint: (file: string) => string;
}

const stickyBit = 0o1000;
const writeByOthers = 0o022;

function writableBy({ uid, mode }: Stats): Fault | undefined {
  const ours = process.getuid?.();
  if (uid !== 0 && uid !== ours) {
    return {
      why: `it belongs to user ${uid}, and not to root or to the agent's user`,
      hint: (file) => `chown root ${file}`,
    };
  }
  if ((mode & writeByOthers) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return { why: `others than its owner may write it (mode ${shown})`, hint: (file) => `chmod go-w ${file}` };
}

/** Who may write the folder may put another file in its place. */
function folderFault(folder: Stats): Fault | undefined {
  if ((folder.mode & stickyBit) !== 0) return undefined;
  const fault = writableBy(folder);
  return fault && { why: `its folder: ${fault.why}`, hint: (file) => fault.hint(dirname(file)) };
}
