// `image-context.mjs <folder>`: everything that goes into the image, and the files to build and run it with, in a new folder. The
// build of the image runs it, too, unless its context is such a folder.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

const from = fileURLToPath(root);
const [folder] = process.argv.slice(2);
if (!folder || existsSync(folder)) {
  console.error(
    folder ? `${folder} exists already: name a new folder` : 'which folder? npm run image:context -- <folder>',
  );
  process.exit(2);
}
ensureInstalled();
ensureBuilt();

const to = resolve(folder);
const take = (path, useless) => {
  cpSync(join(from, path), join(to, path), {
    recursive: true,
    dereference: true,
    filter: (file) => !useless.test(file),
  });
};

const read = (file) => JSON.parse(readFileSync(join(from, file), 'utf8'));
mkdirSync(to, { recursive: true });
for (const path of ['package.json', ...read('package.json').files]) take(path, /\.(map|tsbuildinfo|built)$/);

chmodSync(join(to, 'dist/cli/bin/oakctl.js'), 0o755);

// The packages that the lock file has for production, without what is for people and compilers. Those inside another come with it.
for (const [path, { dev }] of Object.entries(read('package-lock.json').packages)) {
  const isOurs = path !== '' && !dev && path.lastIndexOf('node_modules/') === 0;
  if (isOurs && existsSync(join(from, path))) take(path, /(\.map|\.[cm]?ts|\.md|\.markdown)$/);
}

for (const file of readdirSync(from)) {
  if (/^(Dockerfile|compose\.yaml|override-.*\.yml)$/.test(file)) cpSync(join(from, file), join(to, file));
}
writeFileSync(join(to, '.dockerignore'), 'service-manager\ncompose.yaml\noverride-*.yml\n');
console.error(`${join(basename(dirname(to)), basename(to))} is ready`);
