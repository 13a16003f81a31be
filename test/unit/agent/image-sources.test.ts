import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createImageSources } from '../../../agent/image-sources.ts';
import { pullFailure } from '../../../agent/runtimes/docker/pull-failure.ts';
import type { ImageRules } from '../../../schemas/image-rules.ts';
import { type ProblemCode, ProblemError, problem } from '../../../schemas/problem.ts';
import type { PullSource } from '../../../schemas/registries.ts';

const never = new AbortController().signal;
const cluster: readonly PullSource[] = [{ host: 'mirror' }, { host: 'a.b', username: 'u', password: 'secret' }];
let folder: string;
let logged: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-sources-'));
  logged = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function sources(answer: () => readonly PullSource[], accepts?: ImageRules) {
  const log = (...line: unknown[]) => void logged.push(JSON.stringify(line));
  const file = join(folder, 'registries.yaml');
  return createImageSources({ file, ask: async () => answer(), ...(accepts && { accepts }), log });
}
const refuse = (code: ProblemCode) => () => {
  throw new ProblemError(problem(code, 'no'));
};

it('are what the node says of a registry, else what the cluster says', async () => {
  const { of } = sources(() => cluster);
  await writeFile(join(folder, 'registries.yaml'), 'registries: { own.org: { mirrors: [near] } }', { mode: 0o600 });
  expect(await of('own.org', never)).toEqual([{ host: 'near' }, { host: 'own.org' }]);
  expect(await of('a.b', never)).toEqual(cluster);
});

it('are no mirrors that the owner of the node does not accept, whoever names them', async () => {
  let answer = () => cluster;
  const { of } = sources(() => answer(), { registries: ['a.b', 'own.org', 'near'] });
  expect(await of('a.b', never)).toEqual([cluster[1]]);
  answer = refuse('UNREACHABLE') as never;
  expect(await of('a.b', never)).toEqual([cluster[1]]);
  await writeFile(join(folder, 'registries.yaml'), 'registries: { own.org: { mirrors: [near, far] } }', {
    mode: 0o600,
  });
  expect(await of('own.org', never)).toEqual([{ host: 'near' }, { host: 'own.org' }]);
});

it('are what the reconciler said last while it is away, and the registry alone where it never said a thing', async () => {
  let answer = () => cluster;
  const { of } = sources(() => answer());
  await of('a.b', never);
  answer = refuse('UNREACHABLE') as never;
  expect(await of('a.b', never)).toEqual(cluster);
  expect(await of('c.d', never)).toMatchObject([{ host: 'c.d', note: expect.stringContaining('could not be asked') }]);
  // An older reconciler, and one that has nothing to say.
  for (const code of ['NOT_FOUND', 'REFUSED'] as const) {
    answer = refuse(code) as never;
    expect(await of('c.d', never)).toEqual([{ host: 'c.d' }]);
  }
  expect(logged.join()).not.toContain('secret');
});

it.each([
  [404, 'manifest for x:1 not found: manifest unknown: manifest unknown', 'IMAGE_NOT_FOUND'],
  [404, "pull access denied for x, repository does not exist or may require 'docker login'", 'IMAGE_DENIED'],
  [500, 'Head "http://r/v2/x/manifests/1": unauthorized: authentication required', 'IMAGE_DENIED'],
  [500, 'Get "http://r/v2/": no basic auth credentials', 'IMAGE_DENIED'],
  [500, 'Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused', 'REGISTRY_UNREACHABLE'],
  [500, 'Get "https://r/v2/": http: server gave HTTP response to HTTPS client', 'REGISTRY_UNREACHABLE'],
  [500, 'Get "https://r/v2/": x509: certificate signed by unknown authority', 'REGISTRY_UNREACHABLE'],
  [undefined, 'write /var/lib/docker/tmp/x: no space left on device', 'IMAGE_NO_SPACE'],
  [404, 'no matching manifest for linux/amd64 in the manifest list entries', 'IMAGE_WRONG_ARCHITECTURE'],
  [500, 'received unexpected HTTP status: 503 Service Unavailable', 'IMAGE_PULL_FAILED'],
  [undefined, 'unexpected EOF', 'IMAGE_PULL_FAILED'],
])('%s %s is %s', (status, message, code) => {
  expect(pullFailure(status, message)).toEqual({ code, message });
});
