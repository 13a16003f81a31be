import { describe, expect, it } from 'vitest';
import { parseImage } from '../../../schemas/image-name.ts';
import { parseRegistries, sourcesOf } from '../../../schemas/registries.ts';

const secret = 'correct horse';

describe('registries.yaml', () => {
  it('says where images are to be had: mirrors first, each with its own login', () => {
    const { registries, problems } = parseRegistries(
      `registries:
  Registry.example.org: { username: fleet, password: ${secret}, mirrors: [mirror.hall:5000, other.hall] }
  mirror.hall:5000: { username: hall, password: h, plain_http: true }
  index.docker.io: { mirrors: [mirror.hall:5000] }
`,
      'registries.yaml',
    );
    expect(problems).toEqual([]);
    expect(registries && sourcesOf(registries, 'registry.example.org')).toEqual([
      { host: 'mirror.hall:5000', username: 'hall', password: 'h', plainHttp: true },
      { host: 'other.hall' },
      { host: 'registry.example.org', username: 'fleet', password: secret },
    ]);
    expect(registries && sourcesOf(registries, 'docker.io')).toHaveLength(2);
    expect(registries && sourcesOf(registries, 'ghcr.io')).toBeUndefined();
  });

  it.each([
    [`registries:\n  a.b: { username: u, password: [${secret}] }`, 'REGISTRIES_INVALID', 2],
    [`registries:\n  a.b:\n    password: ${secret}`, 'REGISTRIES_INVALID', 2],
    [`registries:\n  https://a.b: { username: u, password: ${secret} }`, 'REGISTRIES_INVALID', 2],
    [`registries:\n  a.b/c: {}`, 'REGISTRIES_INVALID', 2],
    [`registries:\n  a.b: { mirrors: [A.b] }`, 'REGISTRIES_INVALID', 2],
    [`registries:\n  a.b: {}\n  A.B: {}`, 'REGISTRIES_INVALID', 3],
    [`registries:\n  a.b: { insecure: true }`, 'UNKNOWN_FIELD', 2],
    [`proxy: https://${secret}`, 'REGISTRIES_INVALID', 1],
    [`registries: {}\n---\nregistries: {}`, 'REGISTRIES_INVALID', 3],
    [`registries:\n  a.b: { password: "${secret}`, 'YAML_INVALID', 2],
    [`registries:\n  a.b:\n    password: &x ${secret}\n    username: *x`, 'YAML_INVALID', 3],
  ])('%j is refused, at its line, and no value of it is shown', (text, code, line) => {
    const { registries, problems } = parseRegistries(text, 'registries.yaml');
    expect(registries).toBeUndefined();
    expect(problems[0]).toMatchObject({ code, file: 'registries.yaml', line });
    expect(JSON.stringify(problems)).not.toContain(secret);
  });
});

it.each([
  ['nginx', { registry: 'docker.io', repository: 'library/nginx' }],
  ['acme/web:1', { registry: 'docker.io', repository: 'acme/web', tag: '1' }],
  ['Docker.io/nginx', { registry: 'docker.io', repository: 'library/nginx' }],
  ['localhost/web', { registry: 'localhost', repository: 'web' }],
  ['127.0.0.1:5000/a/b:2@sha256:ab', { registry: '127.0.0.1:5000', repository: 'a/b', tag: '2', digest: 'sha256:ab' }],
])('%s has these parts', (image, parts) => {
  expect(parseImage(image)).toEqual(parts);
});
