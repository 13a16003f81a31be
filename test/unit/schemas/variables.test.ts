import { describe, expect, it } from 'vitest';
import { architecture } from '../../../schemas/architecture.ts';
import { labelOfVariable, variablesOf, withVariables } from '../../../schemas/variables.ts';

const run = (...environment: string[]) => ({ virtualization: 'container' as const, code: 'a', environment });

describe('variables', () => {
  const text = `B=\${node.label.b}-\${node.label.a.x/y}-\${HOME}`;

  it('are found in values, each once', () => {
    expect(variablesOf(run(text, `A=\${node.label.b}`, `\${node.label.key}=1`))).toEqual([
      'node.label.a.x/y',
      'node.label.b',
    ]);
    expect(variablesOf({})).toEqual([]);
  });

  it('stand for labels', () => {
    expect(labelOfVariable('node.label.a.x/y')).toBe('a.x/y');
    expect(labelOfVariable('node.label.')).toBeUndefined();
    expect(labelOfVariable('node.name')).toBeUndefined();
  });

  it('are replaced by their values, and nothing else is', () => {
    const values = { 'node.label.b': `$& \${node.label.a.x/y}`, 'node.label.a.x/y': '1' };
    expect(withVariables(run(text, 'C=1'), values).environment).toEqual([
      `B=$& \${node.label.a.x/y}-1-\${HOME}`,
      'C=1',
    ]);
    const plain = run(text);
    expect(withVariables(plain, undefined)).toBe(plain);
    expect(withVariables(plain, {}).environment).toEqual([text]);
  });
});

it.each([
  ['x64', 'amd64'],
  ['x86_64', 'amd64'],
  ['linux/arm64/v8', 'arm64'],
  ['ARM', 'arm'],
  ['riscv64', 'riscv64'],
  ['constructor', 'constructor'],
])('%s is %s to engines', (name, engines) => expect(architecture(name)).toBe(engines));
