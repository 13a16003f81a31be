import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseAgentConfig } from '../../agent/config.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import { parseNodesFile } from '../../schemas/nodes-file.ts';
import { besideReference } from '../../schemas/overlay.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseRegistries } from '../../schemas/registries.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
const [, shop = ''] = /cat > shop\.yaml <<'END'\n([\s\S]*?)\nEND/.exec(readme) ?? [];

/** Codes of what is wrong with a block: what it leaves out is put around it. */
function faultsOf(text: string): readonly string[] {
  const value: unknown = parse(text);
  const has = (key: string) => typeof value === 'object' && value !== null && key in value;
  if (Array.isArray(value)) return codes(parseNodesFile(text, 'nodes.yaml'));
  if (has('grants') || has('images')) return codes(parsePolicy(text, 'policy.yaml'));
  if (has('registries')) return codes(parseRegistries(text, 'registries.yaml'));
  if (has('cluster')) return codes(parseClusterSettings(text, 'cluster.yaml'));
  if (has('notifications') || has('sources'))
    return codes(parseClusterSettings(`cluster: home\n${text}`, 'cluster.yaml'));
  if (has('api')) return codes(parseAgentConfig(text, 'agent.yaml', 'edge-7'));
  if (has('patch')) return codes(parseDescriptor(text, 'clusters/shop/metrics.yaml', { files: patchedBy(value) }));
  if (has('applications')) return codes(parseDescriptor(text, 'app.yaml'));
  const services = has('microservices')
    ? (value as { microservices: object[] }).microservices
    : [{ ...known('web'), ...(value as object) }, known('db')];
  const app = { applications: [{ application_name: 'shop', microservices: services }] };
  const files = { 'web/types.conf': 'types {}', ...secretsOf('db-password', 'db-users') };
  return codes(parseDescriptor(stringify(app), 'app.yaml', { files }));
}

/** What the patch of the README patches. */
function patchedBy(value: unknown): Record<string, string> {
  const exporter = { ...known('exporter'), healthcheck: { command: ['true'] } };
  const base = { applications: [{ application_name: 'metrics', microservices: [exporter] }] };
  return { [besideReference((value as { patch: string }).patch)]: stringify(base) };
}

function secretsOf(...names: readonly string[]): Record<string, string> {
  const textOf = (name: string) =>
    readFileSync(new URL(`../../examples/secrets/secrets/${name}.yaml`, import.meta.url), 'utf8');
  return Object.fromEntries(names.map((name) => [`secret:${name}`, textOf(name)]));
}

function known(name: string) {
  return { microservice_name: name, code: 'docker.io/library/nginx:1.27' };
}

function codes({ problems }: { readonly problems: readonly { readonly code: string; readonly message: string }[] }) {
  return problems.filter(({ code }) => code !== 'GRANT_NEEDED').map(({ code, message }) => `${code}: ${message}`);
}

describe('examples in the README', () => {
  it('are found', () => expect(blocks.length).toBeGreaterThanOrEqual(10));
  it.each(blocks.map((text) => ({ first: text.split('\n', 1)[0], text })))('are valid: $first', ({ text }) => {
    expect(faultsOf(text)).toEqual([]);
  });
  it('begin with a descriptor that can be pushed', () => expect(faultsOf(shop)).toEqual([]));
});
