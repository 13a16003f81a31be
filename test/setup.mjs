// Runs before `npm test`, with nothing but Node: a clean clone becomes testable. Installs what the lock file says if it is not
// there, builds dist (the e2e level runs the shipped program), and says which tests this machine cannot run.
import { get } from 'node:http';
import { ensureBuilt, ensureInstalled } from '../cli/bin/prepare.mjs';

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

ensureInstalled();
ensureBuilt();

const api = await engine();
console.error(
  api ? `Docker Engine: API ${api}` : 'no Docker Engine answers: tests of the docker runtime will be skipped',
);
