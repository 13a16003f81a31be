// Runs before `npm test`, with nothing but Node: a clean clone becomes testable. Installs what the lock file says if it is not
// there, builds dist (the e2e level runs the shipped program), and says which tests this machine cannot run.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function fail(message) {
  console.error(message);
  process.exit(1);
}

function npm(...args) {
  console.error(`> npm ${args.join(' ')}`);
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) fail(`npm ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

/** True when every package of the lock file that is not optional is installed in that version. */
function isInstalled() {
  const record = `${root}node_modules/.package-lock.json`;
  if (!existsSync(record)) return false;
  const { packages: there } = JSON.parse(readFileSync(record, 'utf8'));
  const { packages: wanted } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'));
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || there[path]?.version === version,
  );
}

/** The version of the Engine that the docker tests will use; undefined without one. */
function engine() {
  const host = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  const where = host.startsWith('unix://') ? { socketPath: host.slice(7) } : new URL(host.replace(/^tcp:/, 'http:'));
  return new Promise((resolve) => {
    const request = get({ ...where, path: '/_ping', timeout: 3000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? response.headers['api-version'] : undefined);
    });
    request.on('error', () => resolve(undefined));
    request.on('timeout', () => request.destroy(new Error('timeout')));
  });
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed, this is ${process.versions.node}`);

if (!isInstalled()) npm('ci');
npm('run', '--silent', 'build');

const api = await engine();
console.error(
  api ? `Docker Engine: API ${api}` : 'no Docker Engine answers: tests of the docker runtime will be skipped',
);
