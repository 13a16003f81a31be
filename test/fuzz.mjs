// The campaigns of test/unit/fuzz and of test/thorough/{requests,upgrades}.test.ts, long: `npm run fuzz -- --runs 1000000 --seed 7`.
// `--case 123` plays one case of every campaign again; add `-t <name>` for one campaign.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const { values } = parseArgs({ options: { runs: text, seed: text, case: text, t: { ...text, short: 't' } } });
const { runs = '1000000', seed = String(randomInt(2 ** 31)), case: only, t: name } = values;
for (const [flag, value] of Object.entries({ runs, seed, ...(only && { case: only }) })) {
  if (/^[0-9]+$/.test(value)) continue;
  console.error(`--${flag} is a number, not ${value}`);
  process.exit(2);
}
console.error(`fuzz: ${only ? `case ${only}` : `${runs} cases`} of seed ${seed}`);
const env = { ...process.env, OAKCTL_FUZZ_RUNS: runs, OAKCTL_FUZZ_SEED: seed, ...(only && { OAKCTL_FUZZ_CASE: only }) };
const campaigns = [
  '--project',
  'unit',
  '--project',
  'thorough',
  'test/unit/fuzz',
  'test/thorough/requests',
  'test/thorough/upgrades',
];
const args = ['vitest', 'run', ...campaigns, ...(name ? ['-t', name] : [])];
process.exit(spawnSync('npx', args, { env, stdio: 'inherit' }).status ?? 1);
