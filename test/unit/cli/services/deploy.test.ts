import { expect, it } from 'vitest';
import { deployDirectly } from '../../../../cli/services/deploy.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import { fakeService } from '../../../support/fake-control-plane.ts';

const never = new AbortController().signal;
const request = { documents: [{ file: 'app.yaml', text: '' }], actor: 'me@here' };
const service = fakeService('shop.default.web.default');
const answer = { services: [{ name: service.name, digest: service.digest, change: 'same' as const }], warnings: [] };
const services = async () => [service];

it('waits for the digests that the reconciler answered', async () => {
  const wait = { timeout: 1000, interval: 1, progress: () => {} };
  const done = await deployDirectly({ deploy: async () => answer, services }, request, wait, never);
  expect(done.outcomes).toMatchObject([{ name: service.name, verdict: 'settled' }]);
});

it('asks for nothing more when nobody waits', async () => {
  const deaf = { deploy: async () => answer, services: () => Promise.reject(new Error('asked')) };
  expect((await deployDirectly(deaf, request, undefined, never)).outcomes).toEqual([]);
});

it('says how to change what git owns', async () => {
  const deploy = () => Promise.reject(new ProblemError(problem('OWNED_BY_GIT', 'git owns it')));
  const refusal = deployDirectly({ deploy, services }, request, undefined, never);
  await expect(refusal).rejects.toMatchObject({
    problems: [{ code: 'OWNED_BY_GIT', hint: expect.stringContaining('--commit') }],
  });
});
