/** Everything that people write: descriptors, nodes, settings, policies. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { classifyFile } from '../../../schemas/classify.ts';
import { parseDescriptor, toDescriptor } from '../../../schemas/descriptor.ts';
import { Descriptor } from '../../../schemas/descriptor-schema.ts';
import { digestOf } from '../../../schemas/digest.ts';
import { parseNodesFile } from '../../../schemas/nodes-file.ts';
import { NodesFile } from '../../../schemas/nodes-schema.ts';
import { parsePolicy } from '../../../schemas/policy.ts';
import { PolicyFile } from '../../../schemas/policy-schema.ts';
import { type Problem, problemCodes } from '../../../schemas/problem.ts';
import { parseRunSpec } from '../../../schemas/run-spec.ts';
import { parseClusterSettings, parseRepositorySettings } from '../../../schemas/settings.ts';
import { ClusterFile, RepositoryFile } from '../../../schemas/settings-schema.ts';
import { parseYaml } from '../../../schemas/yaml.ts';
import { curlApplication } from '../../support/descriptors.ts';
import { campaign, type Outcome } from '../../support/fuzz/campaign.ts';
import { isMountable, requireLawfulSpec, requireThat } from '../../support/fuzz/closed-type.ts';
import { fromSchema, someMood } from '../../support/fuzz/from-schema.ts';
import { mutateText, mutateValue, tokenSoup } from '../../support/fuzz/mutate.ts';
import type { Dice } from '../../support/fuzz/random.ts';

const examples = [curlApplication({ curl: 'curl:1', nginx: 'nginx:1' }), ...textsBelow(resolve('examples'))];
const trees = examples.flatMap((text) => parseYaml(text, 'example').documents.map(({ value }) => value));

function textsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ya?ml|json)$/.test(path) && !path.startsWith('monitoring/'))
    .map((path) => readFileSync(join(folder, path), 'utf8'));
}

/** Problems are for people: a known code, a sentence that fits on a page, and no stack. */
function requireProblems(problems: readonly Problem[]): void {
  for (const { code, message } of problems) {
    requireThat(code in problemCodes, `code ${code}`);
    requireThat(message.length > 0 && message.length < 6_000, `message of ${message.length} characters`);
    requireThat(!/\n\s+at .*\(.*:\d+\)/.test(message), 'a stack trace');
  }
}
const hasErrors = (problems: readonly Problem[]): boolean => problems.some(({ severity }) => severity !== 'warning');

function judgeDescriptor(text: string): Outcome {
  const files = { 'conf/web.conf': 'a = 1\n', './web.conf': 'b = 2\n' };
  const { services, problems } = parseDescriptor(text, 'case.yaml', { files });
  requireProblems(problems);
  classifyFile('case.yaml', text);
  if (services.length === 0) return 'refused';
  requireThat(!hasErrors(problems), 'accepted with an error');
  for (const { spec } of services) {
    const run = parseRunSpec(spec.run);
    requireThat(!('disposition' in run), `the run spec is none: ${JSON.stringify(run)}`);
    requireLawfulSpec(spec.run);
    requireThat(digestOf(spec.run) === spec.digest, 'the digest is another one');
  }
  const again = parseDescriptor(JSON.stringify(toDescriptor(services)), 'again.yaml');
  const said = (list: typeof services) => JSON.stringify(list.map(({ spec }) => [spec.name, spec.digest]).sort());
  requireThat(said(again.services) === said(services), `written out it is another: ${JSON.stringify(again.problems)}`);
  return 'accepted';
}

function asText(value: unknown, dice: Dice): string {
  if (dice.chance(0.7)) return JSON.stringify(value);
  try {
    return stringify(value);
  } catch {
    // The writer of YAML does not know everything that JSON does.
    return JSON.stringify(value);
  }
}

campaign({
  name: 'descriptors that nearly follow their schema',
  share: 0.25,
  accepted: 0.05,
  one: (dice) => judgeDescriptor(asText(fromSchema(Descriptor, dice, someMood(dice)), dice)),
});

campaign({
  name: 'examples with faults in them',
  share: 0.2,
  accepted: 0.03,
  one(dice) {
    const kind = dice.upTo(10);
    if (kind === 0) return judgeDescriptor(tokenSoup(dice));
    if (kind < 5) return judgeDescriptor(mutateText(dice.pick(examples), dice));
    return judgeDescriptor(asText(mutateValue(dice.pick(trees), dice), dice));
  },
});

const others: readonly [schema: object, judge: (text: string) => readonly Problem[]][] = [
  [NodesFile, (text) => parseNodesFile(text, 'nodes.yaml').problems],
  [ClusterFile, (text) => parseClusterSettings(text, 'cluster.yaml').problems],
  [RepositoryFile, (text) => parseRepositorySettings(text, 'oakctl.yaml').problems],
  [PolicyFile, judgePolicy],
];

/** What a policy may grant is what may ever be given. */
function judgePolicy(text: string): readonly Problem[] {
  const { policy, problems } = parsePolicy(text, 'policy.yaml');
  for (const { mounts = [], devices = [], caps = [] } of policy?.grants ?? []) {
    for (const { path } of mounts) requireThat(isMountable(path), `grants ${path}`);
    for (const device of devices) requireThat(/^\/dev\/[^/.]/.test(device), `grants ${device}`);
    for (const cap of caps) requireThat(cap !== 'ALL' && /^[A-Z_]+$/.test(cap), `grants ${cap}`);
  }
  return problems;
}

campaign({
  name: 'nodes.yaml, cluster.yaml, oakctl.yaml and policy.yaml',
  share: 0.1,
  accepted: 0.05,
  one(dice) {
    const [schema, judge] = dice.pick(others);
    const good = fromSchema(schema, dice, someMood(dice));
    const text = asText(dice.chance(0.3) ? mutateValue(good, dice) : good, dice);
    const problems = judge(dice.chance(0.2) ? mutateText(text, dice) : text);
    requireProblems(problems);
    return hasErrors(problems) ? 'refused' : 'accepted';
  },
});
