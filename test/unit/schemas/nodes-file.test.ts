import { describe, expect, it } from 'vitest';
import type { Listing } from '../../../reconciler/core/model.ts';
import { parseNodesFile } from '../../../schemas/nodes-file.ts';

/** As FRACTAL's resource manager reads it. */
const fractal = `- node:
    hostname: edge-1
    IP: 10.0.0.11
    port: 61208
    orchestrator: docker
    resources:
      - cpu
      - mem
- node:
    hostname: edge-2.local
    IP: 10.0.0.12
    resources:
- custom-orchestrator:
    hostname: master
    IP: 10.0.0.1
    port: 9999
`;

describe('nodes.yaml', () => {
  it('of seed 002 is read as it stands', () => {
    const { listings, customOrchestrator, problems } = parseNodesFile(fractal, 'nodes.yaml');
    expect(listings).toEqual([
      { name: 'edge-1', ip: '10.0.0.11', labels: {} },
      { name: 'edge-2.local', ip: '10.0.0.12', labels: {} },
    ]);
    expect(customOrchestrator).toEqual({ hostname: 'master', ip: '10.0.0.1', port: 9999 });
    expect(problems.every((p) => p.severity === 'warning')).toBe(true);
  });

  it('takes our own keys', () => {
    const { listings, problems } = parseNodesFile(
      '- node: {hostname: a, labels: {gpu: true, zone: attic, rank: 3}, pool: roof, capacity: {cpu: 2, memory: 512}, location: "48.1,11.5", cordon: true}',
      'nodes.yaml',
    );
    const expected: readonly Listing[] = [
      {
        name: 'a',
        labels: { gpu: 'true', zone: 'attic', rank: '3' },
        pool: 'roof',
        capacity: { cpu: 2, memory: 512 },
        location: '48.1,11.5',
        cordon: true,
      },
    ];
    const typed: readonly Listing[] = listings;
    expect(typed).toEqual(expected);
    expect(problems).toEqual([]);
  });

  it.each(['', '[]', '# nothing yet\n', '---\n', 'null'])('may be empty: %j', (text) => {
    expect(parseNodesFile(text, 'nodes.yaml')).toEqual({ listings: [], problems: [] });
  });

  it.each([
    ['a map', 'node: {hostname: a}', 'NODES_INVALID', 1],
    ['two documents', '[]\n---\n[]\n', 'NODES_INVALID', 3],
    ['no host name', '- node: {IP: 10.0.0.1}', 'NODES_INVALID', 1],
    ['a word for an address', '- node: {hostname: a, IP: here}', 'NODES_INVALID', 1],
    ['two keys in one item', '- node: {hostname: a}\n  custom-orchestrator: {}', 'NODES_INVALID', 1],
    ['an empty item', '- {}', 'NODES_INVALID', 1],
    ['an unknown item', '- nodes: {hostname: a}', 'UNKNOWN_FIELD', 1],
    ['an unknown key', '- node:\n    hostname: a\n    lables: {}', 'UNKNOWN_FIELD', 3],
    ['one name twice', '- node: {hostname: a}\n- node: {hostname: a}', 'NAME_TAKEN', 2],
    ['names that differ by case', '- node: {hostname: a}\n- node: {hostname: A}', 'NAME_TAKEN', 2],
    ['two custom orchestrators', '- custom-orchestrator: {}\n- custom-orchestrator: {}', 'NODES_INVALID', 2],
    ['a port too high', '- node: {hostname: a, port: 70000}', 'NODES_INVALID', 1],
    ['no capacity', '- node: {hostname: a, capacity: {cpu: 0}}', 'NODES_INVALID', 1],
    ['a label with blanks', '- node: {hostname: a, labels: {"a b": 1}}', 'NODES_INVALID', 1],
    ['syntax', '- node: {', 'YAML_INVALID', 1],
  ])('refuses %s', (_, text, code, line) => {
    const { listings, problems } = parseNodesFile(text, 'nodes.yaml');
    expect(listings).toEqual([]);
    expect(problems.find((p) => p.severity !== 'warning')).toMatchObject({ code, line, file: 'nodes.yaml' });
  });

  it('warns about what nothing is done with, and about shared addresses', () => {
    const text = `- node: {hostname: a, IP: 10.0.0.1, orchestrator: kubernetes, thresholds: {cpu: 80}}
- node: {hostname: b, IP: 10.0.0.1}
`;
    const { listings, problems } = parseNodesFile(text, 'nodes.yaml');
    expect(listings).toHaveLength(2);
    expect(problems.map(({ code, severity, subject }) => [code, severity, subject])).toEqual([
      ['FIELD_NOT_SERVED', 'warning', 'node/a'],
      ['FIELD_NOT_SERVED', 'warning', 'node/a'],
      ['NAME_TAKEN', 'warning', 'node/b'],
    ]);
  });
});
