/** The JSON Schemas that editors use, as texts. Written to schemas/json by emit.ts, never by hand. */
import type { TSchema } from 'typebox';
import { Descriptor } from './descriptor-schema.ts';
import { NodesFile } from './nodes-schema.ts';
import { Patch } from './overlay-schema.ts';
import { PolicyFile } from './policy-schema.ts';
import { RegistriesFile } from './registries.ts';
import { ClusterFile, RepositoryFile } from './settings-schema.ts';

const schemas: Readonly<Record<string, TSchema>> = {
  'descriptor.schema.json': Descriptor,
  'patch.schema.json': Patch,
  'nodes.schema.json': NodesFile,
  'oakctl.schema.json': RepositoryFile,
  'cluster.schema.json': ClusterFile,
  'policy.schema.json': PolicyFile,
  'registries.schema.json': RegistriesFile,
};

/** File name to content. */
export function editorSchemas(): Readonly<Record<string, string>> {
  const texts = Object.entries(schemas).map(([name, schema]) => {
    const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `oakctl/${name}` };
    return [name, `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`];
  });
  return Object.fromEntries(texts);
}
