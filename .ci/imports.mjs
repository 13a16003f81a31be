// The import law, and a look at whether it was checked at all: a cruise that sees no modules finds no violations either.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const folders = ['agent', 'cli', 'reconciler', 'schemas', 'test'];
const bin = 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs';
const options = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
const run = spawnSync(process.execPath, [bin, ...options, ...folders], { encoding: 'utf8', maxBuffer: 1 << 28 });
if (!run.stdout.startsWith('{')) {
  process.stderr.write(run.stderr || run.stdout);
  process.exit(1);
}

const { modules, summary } = JSON.parse(run.stdout);
for (const { rule, from, to } of summary.violations) console.error(`${rule.name}: ${from} -> ${to}`);

const ours = modules.filter(({ source }) => folders.some((folder) => source.startsWith(`${folder}/`)));
const onDisk = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts')),
);
const seen = new Set(ours.map(({ source }) => source));
const missed = onDisk.filter((file) => !seen.has(file));
const edges = ours.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
const minimum = Number(process.env.MINIMUM_MODULES ?? 300);

if (missed.length > 0) console.error(`not seen by the import law: ${missed.join(', ')}`);
if (ours.length < minimum) console.error(`only ${ours.length} modules seen, ${minimum} expected at least`);
if (edges < ours.length) console.error(`only ${edges} imports between ${ours.length} modules: the resolver is broken`);

const failed = summary.violations.length > 0 || missed.length > 0 || ours.length < minimum || edges < ours.length;
console.log(`import law: ${ours.length} modules, ${edges} imports, ${summary.violations.length} violations`);
process.exit(failed ? 1 : 0);
