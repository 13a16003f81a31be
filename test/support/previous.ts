/**
 * The program as it was before: that of an older commit, made from its sources beside ours. Until there are releases that is the
 * commit before this one, or the one that OAKCTL_PREVIOUS names.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';

const exec = promisify(execFile);

/** What a program is made of; packages are those of this tree. */
const sources = ['cli', 'reconciler', 'agent', 'schemas', 'package.json'];
/** What it calls itself, so that it can be told from ours. */
export const previousVersion = '0.0.9';

/** Undefined where there is no history; on a CI machine that is an error. */
export async function previousCommit(): Promise<string | undefined> {
  const name = process.env['OAKCTL_PREVIOUS'] ?? 'HEAD~1';
  try {
    const { stdout } = await exec('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`]);
    return stdout.trim();
  } catch (error) {
    if (process.env['CI'] === 'true')
      throw new Error(`CI needs the history of this repository: no ${name}`, { cause: error });
    return undefined;
  }
}

export interface Previous {
  /** `cli/bin/oakctl.js`, to be run by Node. */
  readonly program: string;
  remove(): Promise<void>;
}

/** The program of a commit. It lies below this folder, where it finds its packages. */
export async function makePrevious(commit: string): Promise<Previous> {
  await mkdir('build', { recursive: true });
  const folder = await mkdtemp(resolve('build/previous-'));
  const archive = join(folder, 'sources.tar');
  await exec('git', ['archive', '--output', archive, commit, ...sources]);
  await exec('tar', ['-xf', archive, '-C', folder]);
  await transpile(folder);
  await exec(process.execPath, [join(folder, 'dist/cli/bin/manifest.js')], { cwd: folder });
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  return { program: join(folder, 'dist/cli/bin/oakctl.js'), remove };
}

/** File by file, without a look at types: they were checked when the commit was made. */
async function transpile(folder: string): Promise<void> {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.ts') || file.startsWith('dist')) continue;
    const text = await readFile(join(folder, file), 'utf8');
    const named = file === 'schemas/version.ts' ? text.replace(/'[0-9.]+'/, `'${previousVersion}'`) : text;
    const { outputText } = ts.transpileModule(named, { fileName: file, compilerOptions });
    const target = join(folder, 'dist', file.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}
