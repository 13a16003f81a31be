// Makes a clone ready to run, with nothing but Node: packages as the lock file says, and dist as the sources are.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The package's folder, as a URL. */
export const root = new URL('../../', import.meta.url);
const folder = fileURLToPath(root);
const stamp = fileURLToPath(new URL('dist/.built', root));

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node 20.19 or newer is needed, this is ${process.versions.node}`);
  process.exit(2);
}

function run(title, command, args) {
  console.error(`${title} ...`);
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  console.error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}

/** True when every package of the lock file that is not optional is installed in that version. */
function isInstalled() {
  const record = `${folder}node_modules/.package-lock.json`;
  if (!existsSync(record)) return false;
  const { packages: there } = JSON.parse(readFileSync(record, 'utf8'));
  const { packages: wanted } = JSON.parse(readFileSync(`${folder}package-lock.json`, 'utf8'));
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || there[path]?.version === version,
  );
}

/** Installs what the lock file says, unless it is there. */
export function ensureInstalled() {
  if (!isInstalled()) run('Installing packages', 'npm', ['ci']);
}

/** A hash over paths, sizes and times of everything that the build reads. */
function sourcesKey() {
  const hash = createHash('sha256');
  const add = (path) => {
    const { size, mtimeMs } = statSync(folder + path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const part of ['cli', 'reconciler', 'agent', 'schemas']) {
    const files = readdirSync(folder + part, { recursive: true }).filter((file) => file.endsWith('.ts'));
    for (const file of files.sort()) add(`${part}/${file}`);
  }
  for (const file of ['package.json', 'tsconfig.json', 'tsconfig.build.json']) add(file);
  return hash.digest('hex');
}

/** Builds dist, unless it was built from exactly these sources. */
export function ensureBuilt() {
  const key = sourcesKey();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  run('Building', 'npm', ['run', '--silent', 'build']);
  mkdirSync(new URL('dist/', root), { recursive: true });
  writeFileSync(stamp, key);
}
