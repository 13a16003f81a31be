import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { editorSchemas } from '../../schemas/editor-schemas.ts';
import { curlApplication } from '../support/descriptors.ts';

const folder = new URL('../../schemas/json/', import.meta.url);
const stored = (name: string) => readFileSync(new URL(name, folder), 'utf8');

/** What an editor does: a plain validator that knows none of our words. */
const accepts = (name: string, text: string): boolean =>
  new Ajv2020({ strict: false }).compile(JSON.parse(stored(name)))(parse(text));

describe('editor schemas', () => {
  it('are those of the sources (npm run gen)', () => {
    const fresh = editorSchemas();
    expect(
      readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    ).toEqual(Object.keys(fresh).sort());
    for (const [name, text] of Object.entries(fresh)) expect(stored(name), name).toBe(text);
  });

  it('take good files and refuse bad ones', () => {
    expect(accepts('descriptor.schema.json', curlApplication({ curl: 'a', nginx: 'b' }))).toBe(true);
    expect(accepts('descriptor.schema.json', 'applications: [{application_name: a}]')).toBe(false);
    expect(accepts('nodes.schema.json', '- node:\n    hostname: a\n    IP: 10.0.0.1\n    resources:\n')).toBe(true);
    expect(accepts('nodes.schema.json', '- nod: {}')).toBe(false);
    expect(accepts('cluster.schema.json', 'cluster: a\nlost_after: {edge: 90s}')).toBe(true);
    expect(accepts('cluster.schema.json', 'lost_after: {edge: soon}')).toBe(false);
    expect(accepts('oakctl.schema.json', 'poll: 5s')).toBe(true);
    expect(accepts('oakctl.schema.json', 'sources: []')).toBe(false);
  });

  it('describe every field', () => {
    const bare: string[] = [];
    const visit = (schema: Record<string, unknown>, path: string): void => {
      for (const [key, value] of Object.entries(
        (schema['properties'] ?? {}) as Record<string, Record<string, unknown>>,
      )) {
        if (typeof value['description'] !== 'string') bare.push(`${path}.${key}`);
        visit(value, `${path}.${key}`);
      }
      const items = schema['items'] as Record<string, unknown> | undefined;
      if (items) visit(items, `${path}[]`);
      for (const branch of (schema['anyOf'] ?? []) as Record<string, unknown>[]) visit(branch, path);
    };
    for (const [name, text] of Object.entries(editorSchemas())) visit(JSON.parse(text), name);
    expect(bare).toEqual([]);
  });
});
