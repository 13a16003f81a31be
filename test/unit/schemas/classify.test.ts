import { describe, expect, it } from 'vitest';
import { classifyFile, mayCount } from '../../../schemas/classify.ts';

const kind = (path: string, text: string) => classifyFile(path, text).kind;

describe('which files count', () => {
  it.each([
    ['nodes.yaml', 'anything: [', 'nodes'],
    ['oakctl.yaml', '', 'settings'],
    ['a.yaml', 'applications: []', 'descriptor'],
    ['deep/down/a.yml', 'sla_version: v2.0', 'descriptor'],
    ['a.JSON', '{"applications": 1}', 'descriptor'],
    ['a.yaml', 'sla_versoin: v2.0', 'descriptor'],
    ['a.yaml', 'sla-version: v2.0', 'descriptor'],
    ['a.yaml', 'SLA_VERSION: v2.0', 'descriptor'],
    ['a.yaml', 'aplications: []', 'descriptor'],
    ['a.yaml', 'kind: Other\n---\napplications: []', 'descriptor'],
    ['a.yaml', 'applications: [', 'invalid'],
    ['a.yaml', '{{ template }}: x', 'invalid'],
    ['a.json', '{"a": 1,, }', 'invalid'],
    ['a.yaml', '', 'ignored'],
    ['a.yaml', '- applications', 'ignored'],
    ['a.yaml', 'spec: {applications: []}', 'ignored'],
    ['a.yaml', 'services: {web: {image: nginx}}', 'ignored'],
    ['sub/nodes.yaml', '- node: {hostname: a}', 'ignored'],
    ['a.txt', 'applications: []', 'ignored'],
    ['yaml', 'applications: []', 'ignored'],
    ['.a.yaml', 'applications: []', 'ignored'],
    ['.github/workflows/a.yaml', 'applications: [', 'ignored'],
    ['a/.b/c.yaml', 'applications: [', 'ignored'],
  ])('%s: %j is %s', (path, text, expected) => expect(kind(path, text)).toBe(expected));

  it('says what is wrong with an invalid one', () => {
    const found = classifyFile('a.yaml', 'a: 1\na: 2\n');
    expect(found.kind === 'invalid' && found.problems[0]).toMatchObject({
      code: 'YAML_INVALID',
      file: 'a.yaml',
      line: 2,
    });
  });

  it('takes a file that is too long as invalid only if it talks of services', () => {
    const filler = `# ${'x'.repeat(300_000)}\n`;
    expect(kind('package-lock.json', `${filler}{}`)).toBe('ignored');
    expect(kind('a.yaml', `${filler}sla_version: v2.0`)).toBe('invalid');
  });

  it('can be told by the path when nothing may count', () => {
    expect(mayCount('a/b.yaml')).toBe(true);
    for (const path of ['a/.b/c.yaml', 'README.md', '', 'a/', '.yaml']) expect(mayCount(path)).toBe(false);
  });
});
