import { createHmac } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { concerns, subjectOf } from '../../../../reconciler/webhooks/call.ts';
import { createWebhookDesk } from '../../../../reconciler/webhooks/desk.ts';
import { type InjectedApi, injectedApi } from '../../../support/injected-api.ts';
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts';

const secret = 'canary-webhook-secret';
const sources = [
  { name: 'fleet', url: 'https://git.example.org/team/fleet.git', branch: 'main' },
  { name: 'same', url: 'ssh://git@git.example.org:2222/Team/Fleet.git', branch: 'release' },
  { name: 'other', url: 'git@git.example.org:team/other.git', branch: 'main' },
];
let folder: string;
let file: string;
let clock: VirtualClock;
let woken: string[];
let api: InjectedApi;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-webhooks-'));
  file = join(folder, 'secret');
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  clock = createVirtualClock();
  woken = [];
  const log = () => undefined;
  const webhooks = createWebhookDesk({
    webhooks: { github: file, gitlab: file, gitea: file, plain: file },
    sources,
    clock,
    log,
    wake: (name) => void woken.push(name),
  });
  api = injectedApi({}, { webhooks });
});

const sign = (text: string, key = secret) => createHmac('sha256', key).update(text).digest('hex');
const call = (kind: string, text: string, headers: Record<string, string>) =>
  api.request('POST', `/v1/webhooks/${kind}`, text, { authorization: '', ...headers });
const pushed = (repository: object, ref = 'refs/heads/main') => JSON.stringify({ ref, repository });
const fleet = { clone_url: 'https://git.example.org/team/fleet.git', ssh_url: 'git@git.example.org:team/fleet.git' };

describe('a webhook', () => {
  it('of GitHub counts by its signature over what was sent', async () => {
    const text = pushed(fleet);
    const answer = await call('github', text, { 'x-hub-signature-256': `sha256=${sign(text)}` });
    expect([answer.status, answer.json()]).toEqual([202, { woken: ['fleet'] }]);
    const form = `payload=${encodeURIComponent(text)}`;
    const asForm = await call('github', form, {
      'x-hub-signature-256': `sha256=${sign(form)}`,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(asForm.json()).toEqual({ woken: ['fleet'] });
  });

  it('of GitHub that is about no push wakes nobody', async () => {
    const text = JSON.stringify({ zen: 'Design for failure.', repository: fleet });
    const signature = { 'x-hub-signature-256': `sha256=${sign(text)}` };
    const ping = await call('github', text, { ...signature, 'x-github-event': 'ping' });
    expect([ping.status, ping.json()]).toEqual([202, { woken: [] }]);
    const push = await call('github', text, { ...signature, 'x-github-event': 'push' });
    expect(push.json()).toEqual({ woken: ['fleet', 'same'] });
  });

  it('of Gitea and Forgejo by its signature, of GitLab and others by its token', async () => {
    const text = pushed(fleet, 'refs/heads/release');
    expect((await call('gitea', text, { 'x-gitea-signature': sign(text) })).json()).toEqual({ woken: ['same'] });
    expect((await call('gitea', text, { 'x-forgejo-signature': sign(text) })).json()).toEqual({ woken: ['same'] });
    const project = JSON.stringify({ project: { git_http_url: 'https://git.example.org/team/other.git' } });
    expect((await call('gitlab', project, { 'x-gitlab-token': secret })).json()).toEqual({ woken: ['other'] });
    const bearer = { authorization: `Bearer ${secret}` };
    expect((await call('plain', '{"source":"other"}', bearer)).json()).toEqual({ woken: ['other'] });
    expect((await call('plain', '{}', bearer)).json()).toEqual({ woken: ['fleet', 'same', 'other'] });
    expect((await call('plain', '{"repository":"git@git.example.org:team/other"}', bearer)).json()).toEqual({
      woken: ['other'],
    });
  });

  it.each([
    ['github', {}],
    ['github', { 'x-hub-signature-256': `sha256=${sign(pushed(fleet), 'another')}` }],
    ['github', { 'x-hub-signature-256': `sha256=${sign(`${pushed(fleet)} `)}` }],
    ['github', { 'x-hub-signature-256': `sha1=${sign(pushed(fleet))}` }],
    ['gitea', { 'x-gitea-signature': '' }],
    ['gitlab', { 'x-gitlab-token': 'another' }],
    ['gitlab', {}],
    ['plain', { authorization: 'Bearer another' }],
    ['plain', {}],
  ])('to %s with %j wakes nobody', async (kind, headers) => {
    const answer = await call(kind, pushed(fleet), headers);
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain(secret);
    expect(woken).toEqual([]);
  });

  it('is refused for a kind that there is not, and while its secret is open to others', async () => {
    expect((await call('bitbucket', '{}', {})).status).toBe(404);
    expect((await call('constructor', '{}', {})).status).toBe(404);
    await chmod(file, 0o644);
    const answer = await call('gitlab', '{}', { 'x-gitlab-token': secret });
    await chmod(file, 0o600);
    expect(answer.status).toBe(503);
    expect(answer.text).not.toContain(folder);
  });

  it('that comes again and again is one more look, a second later', async () => {
    const text = pushed(fleet);
    for (let n = 0; n < 20; n += 1) await call('github', text, { 'x-hub-signature-256': `sha256=${sign(text)}` });
    expect(woken).toEqual(['fleet']);
    await clock.advance(1_000);
    expect(woken).toEqual(['fleet', 'fleet']);
    await clock.advance(60_000);
    expect(woken).toHaveLength(2);
  });

  it('is not read when there are too many, or when it is too large', async () => {
    const large = await call('gitlab', 'x'.repeat(1024 * 1024 + 1), { 'x-gitlab-token': secret });
    expect(large.status).toBe(413);
    const statuses: number[] = [];
    for (let n = 0; n < 70; n += 1) statuses.push((await call('gitlab', '{}', {})).status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(5);
    await clock.advance(20_000);
    expect((await call('gitlab', '{}', { 'x-gitlab-token': secret })).status).toBe(202);
  });
});

it.each([['not json'], ['[]'], ['null'], ['{"repository":3}'], ['{"__proto__":{"ref":1}}']])(
  '%s names nothing',
  (text) => {
    expect(subjectOf({ kind: 'github', headers: {}, body: Buffer.from(text) })).toBeUndefined();
  },
);

it('a push to another branch concerns nobody who does not follow it', () => {
  const about = (ref: string) => sources.filter((one) => concerns(one, { repositories: [fleet.ssh_url], ref }));
  expect(about('refs/heads/topic')).toEqual([]);
  expect(about('refs/heads/main').map(({ name }) => name)).toEqual(['fleet']);
  expect(about('refs/tags/release').map(({ name }) => name)).toEqual(['same']);
});
