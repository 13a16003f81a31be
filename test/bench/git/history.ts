/** Repositories to measure with: many descriptors, and a long history behind them. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { descriptor } from '../../support/descriptors.ts';

/** Name of the application, and of its file, by number. */
export const nameOf = (n: number): string => `app${n}`;

/** A descriptor of one small service; `round` makes it another version. */
export function descriptorOf(n: number, round = 0): string {
  const web = { code: 'example.org/web:1', memory: 1, vcpus: 0.001, environment: [`ROUND=${round}`] };
  return descriptor(nameOf(n), { web: { ...web, update: { settle: '100ms' } } });
}

/** Files in folders of a hundred, as people keep them. */
export function pathOf(n: number): string {
  return `apps/${Math.floor(n / 100)}/${nameOf(n)}.yaml`;
}

const perCommit = 40;
const dataFiles = 400;
const dataBytes = 10 * 1024;

/**
 * Writes a bare repository: commits that each write forty of four hundred files anew with bytes that no packing makes smaller, until the
 * history has so many bytes; then one with the descriptors.
 */
export async function writeHistory(folder: string, options: { bytes: number; descriptors: number }): Promise<void> {
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder]);
  execFileSync('git', ['-C', folder, 'config', 'uploadpack.allowFilter', 'true']);
  const child = spawn('git', ['-C', folder, 'fast-import', '--quiet'], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  const write = async (data: string | Buffer): Promise<void> => {
    if (!child.stdin.write(data)) await once(child.stdin, 'drain');
  };
  const file = async (path: string, content: Buffer): Promise<void> => {
    await write(`M 100644 inline ${path}\ndata ${content.length}\n`);
    await write(content);
    await write('\n');
  };
  const commits = Math.ceil(options.bytes / (perCommit * dataBytes));
  const who = (n: number): string => `committer Bench <bench@example.org> ${1_700_000_000 + n} +0000`;
  for (let n = 0; n < commits; n += 1) {
    await write(`commit refs/heads/main\n${who(n)}\ndata 4\nwork\n`);
    for (let k = 0; k < perCommit; k += 1) {
      const which = (n * perCommit + k) % dataFiles;
      await file(`data/${which % 20}/${which}.bin`, randomBytes(dataBytes));
    }
  }
  await write(`commit refs/heads/main\n${who(commits)}\ndata 4\napps\n`);
  for (let n = 0; n < options.descriptors; n += 1) await file(pathOf(n), Buffer.from(descriptorOf(n)));
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import exited with ${code}`);
}

/** One more commit with one file changed, as a push leaves it in a bare repository. */
export function pushFile(folder: string, path: string, content: string): string {
  const git = (args: readonly string[], input = ''): string =>
    execFileSync('git', ['-C', folder, ...args], { input, env: { ...process.env, ...identity } })
      .toString()
      .trim();
  const env = `${folder}/bench-index`;
  const staged = (args: readonly string[]): string =>
    execFileSync('git', ['-C', folder, ...args], { env: { ...process.env, ...identity, GIT_INDEX_FILE: env } })
      .toString()
      .trim();
  const blob = git(['hash-object', '-w', '--stdin'], content);
  staged(['read-tree', 'main']);
  staged(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`]);
  const commit = git(['commit-tree', staged(['write-tree']), '-p', 'main', '-m', 'change']);
  git(['update-ref', 'refs/heads/main', commit]);
  return commit;
}

const identity = {
  GIT_AUTHOR_NAME: 'Bench',
  GIT_AUTHOR_EMAIL: 'bench@example.org',
  GIT_COMMITTER_NAME: 'Bench',
  GIT_COMMITTER_EMAIL: 'bench@example.org',
};
