import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

/** Asks for a remote's refs and for an object when there is no file left to open, and again when there are some. */
const withoutFiles = `
const { closeSync, mkdtempSync, openSync, rmSync } = await import('node:fs');
const { createGitRunner, mirrorEnvironment } = await import(process.argv[1] + '/command.js');
const { createObjectReader } = await import(process.argv[1] + '/object-reader.js');
const folder = mkdtempSync('/tmp/oakctl-files-');
const signal = new AbortController().signal;
const run = createGitRunner(folder);
const reader = createObjectReader({ folder, env: () => mirrorEnvironment(folder, folder) });
const ask = async () => [(await run({ args: ['version'] }, signal)).code, await reader.has('0'.repeat(40), signal)];
await run({ args: ['init', '--quiet', '--bare', '.'] }, signal);
const held = [];
try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
const without = await ask().catch(String);
for (const one of held) closeSync(one);
setTimeout(async () => {
  console.log(JSON.stringify([without, await ask().catch(String)]));
  reader.end();
  rmSync(folder, { recursive: true });
}, 50);
`;

it('git that cannot be started for want of files is a failed command, and ends nothing', () => {
  const git = pathToFileURL(resolve('dist/reconciler/git')).href;
  const limited = ['-c', 'ulimit -n 80 && exec "$0" --input-type=module -e "$1" "$2"', process.execPath];
  const { stdout, stderr } = spawnSync('sh', [...limited, withoutFiles, git], { encoding: 'utf8', timeout: 10_000 });
  expect(stdout.trim() || stderr).toBe(
    JSON.stringify([
      [-1, null],
      [0, false],
    ]),
  );
});
