import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { countGpus } from '../../../agent/metrics/gpus.ts';
import { readPolicy } from '../../../agent/policy-file.ts';
import { createAccess } from '../../../agent/runtimes/access.ts';
import type { InformationMessage } from '../../../schemas/messages.ts';
import { closedPolicy, emptyPolicy } from '../../../schemas/policy.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { topic } from '../../../schemas/topics.ts';
import { steps } from './loop-support.ts';
import { container, createRig, jobOf, node, partOf } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const asks = container('web:1', { host: { devices: ['/dev/zero'] } });
const fence = { epoch: 1, gen: 1, by: 'rec' };

describe('an agent that is sent what its node does not grant', () => {
  test.each(['run', 'prepared'] as const)('refuses it (want %s), names the line, and fetches nothing', async (want) => {
    const rig = createRig();
    await rig.boot();
    rig.assign(partOf(fence, [[jobOf(web, '1.1', asks, want), asks]]));
    await rig.clock.advance(500);
    const [copy] = rig.report()?.copies ?? [];
    expect(copy?.status).toBe('failed');
    expect(copy?.reason?.code).toBe('HOST_NOT_GRANTED');
    expect(copy?.reason?.message).toContain('- { app: shop.default, service: web.default, devices: [/dev/zero] }');
    expect(steps(rig)).toEqual([]);
  });

  test('and that has a grant runs it, and says what it grants', async () => {
    const grants = [{ app: 'shop.default', devices: ['/dev/zero'] }];
    const rig = createRig({}, { grants });
    const heard: InformationMessage[] = [];
    const listener = rig.broker.client('listener', { kind: 'reconciler' });
    listener.open(
      { subscribe: [{ filter: topic(node, 'information'), qos: 0 }] },
      {
        connected: () => undefined,
        disconnected: () => undefined,
        message: ({ payload }) => void heard.push(JSON.parse(String(payload)) as InformationMessage),
      },
    );
    await rig.boot();
    rig.assign(partOf(fence, [[jobOf(web, '1.1', asks), asks]]));
    await rig.clock.advance(10_000);
    expect(rig.status('1.1')).toBe('running');
    expect(heard.at(-1)?.grants).toEqual(grants);
  });

  test('stops nothing that runs when the grant is gone, and does not start it again', async () => {
    const grants = [{ app: 'shop.default', devices: ['/dev/zero'] }];
    const rig = createRig({}, { grants });
    await rig.boot();
    rig.assign(partOf(fence, [[jobOf(web, '1.1', asks), asks]]));
    await rig.clock.advance(1_000);
    rig.agent.halt();
    grants.length = 0;
    await rig.boot();
    await rig.clock.advance(60_000);
    expect(rig.status('1.1')).toBe('running');
    rig.runtime.exit({ instance: web, copy: '1.1' }, 1);
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('failed');
    expect(rig.report()?.copies[0]?.reason?.code).toBe('HOST_NOT_GRANTED');
  });
});

describe('an agent whose node accepts some images only', () => {
  const accepts = { registries: ['registry.home'] };
  const good = container('registry.home/web:1');
  const bad = container('web:1');
  const db = 'shop.default.db.default.instance.0';
  const both = partOf(fence, [
    [jobOf(web, '1.1', bad), bad],
    [jobOf(db, '1.2', good), good],
  ]);

  test('refuses others, whoever sent them, and fetches nothing', async () => {
    const rig = createRig({}, { grants: [], accepts });
    await rig.boot();
    rig.assign(both);
    await rig.clock.advance(1_000);
    const copies = new Map(rig.report()?.copies.map((copy) => [copy.copy, copy]));
    expect(copies.get('1.1')).toMatchObject({ status: 'failed', reason: { code: 'IMAGE_NOT_ALLOWED' } });
    expect(copies.get('1.1')?.reason?.message).toContain('its registry docker.io is not one of registry.home');
    expect(copies.get('1.2')?.status).toBe('running');
    expect(rig.runtime.calls.filter((call) => call.startsWith('prepare'))).toHaveLength(1);
  });

  test('and one whose policy is damaged goes on with what is there, also after a crash and a boot, and makes nothing new', async () => {
    const policy = { ...emptyPolicy };
    const rig = createRig({}, policy);
    await rig.boot();
    rig.assign(partOf(fence, [[jobOf(web, '1.1', bad), bad]]));
    await rig.clock.advance(1_000);
    Object.assign(policy, closedPolicy);
    await rig.boot();
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('running');
    for (const copy of rig.runtime.copies.values()) rig.runtime.exit(copy, 1);
    await rig.clock.advance(30_000);
    expect(rig.status('1.1')).toBe('running');
    rig.assign(
      partOf({ ...fence, gen: 2 }, [
        [jobOf(web, '1.1', bad), bad],
        [jobOf(db, '1.2', good), good],
      ]),
    );
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('running');
    expect(rig.report()?.copies.find(({ copy }) => copy === '1.2')?.reason?.code).toBe('IMAGE_NOT_ALLOWED');
  });
});

describe('access', () => {
  const all = {
    app: '*',
    privileged: true,
    devices: ['/etc/shadow', '/dev/zero'],
    mounts: [{ path: '/' }],
    caps: ['ALL', 'X'],
  };
  const access = createAccess({ grants: [all], own: [] });

  // None of this can be written in a descriptor or a policy; whoever signs could still send it.
  test.each<[string, Partial<RunSpec>]>([
    ['a file as a device', { host: { devices: ['/etc/shadow'] } }],
    ['all capabilities', { host: { caps: ['ALL'] } }],
    ['the root', { host: { mounts: [{ source: '/', target: '/x' }] } }],
    ['over the root', { host: { mounts: [{ source: '/srv', target: '/' }] } }],
    ['a detour', { host: { mounts: [{ source: '/srv/../etc', target: '/x' }] } }],
  ])('refuses %s whatever the grants say', async (_, run) => {
    await expect(access.admit(web, container('a', run))).rejects.toMatchObject({
      problem: { code: 'HOST_NOT_GRANTED' },
    });
  });

  test('gives nothing to those who ask for nothing', async () => {
    const nothing = { devices: [], binds: [], hostNetwork: false, caps: [] };
    expect(await access.admit(web, container('a', { vgpus: 1, files: [] }))).toEqual(nothing);
  });
});

describe('policy.yaml', () => {
  let folder = '';
  const path = () => join(folder, 'policy.yaml');
  const text = 'grants: [{app: shop, devices: [/dev/zero]}]';
  const grants = [{ app: 'shop.default', devices: ['/dev/zero'] }];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oakctl-policy-'));
    await writeFile(path(), text, { mode: 0o644 });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('says which images are accepted', async () => {
    await writeFile(path(), 'images: [nginx]');
    expect(await readPolicy(path())).toEqual({
      policy: { grants: [], accepts: { images: ['docker.io/library/nginx'] } },
      problems: [],
    });
  });

  test('is read, and may be absent', async () => {
    expect(await readPolicy(path())).toEqual({ policy: { grants }, problems: [] });
    await rm(path());
    expect(await readPolicy(path())).toEqual({ policy: { grants: [] }, problems: [] });
  });

  const replaceBy = async (make: () => Promise<unknown>): Promise<void> => {
    await rm(path());
    await make();
  };

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'that its group may write',
      () => chmod(path(), 0o664),
      /may write it \(mode 0664\): nothing is granted, and no image is accepted$/,
    ],
    ['that all may write', () => chmod(path(), 0o646), /may write it \(mode 0646\)/],
    ['in a folder that all may write', () => chmod(folder, 0o777), /its folder: .*mode 0777/],
    ['that is a link', () => replaceBy(() => symlink('/dev/null', path())), /is a link/],
    ['that is a folder', () => replaceBy(() => mkdir(path())), /is no file/],
    ['that is broken', () => writeFile(path(), 'grants: [{app: 1}]'), /must be a text/],
  ])('%s grants nothing, and says why', async (_, spoil, why) => {
    await spoil();
    const { policy, problems } = await readPolicy(path());
    expect(policy).toEqual({ grants: [], accepts: { registries: [] } });
    expect(problems[0]).toMatchObject({ code: 'POLICY_INVALID', message: expect.stringMatching(why) });
  });

  test.skipIf(process.getuid?.() !== 0)('of another user grants nothing', async () => {
    await chown(path(), 12_345, 12_345);
    const { policy, problems } = await readPolicy(path());
    expect(policy.grants).toEqual([]);
    expect(problems[0]?.message).toContain('belongs to user 12345');
  });
});

test('GPUs are counted where the driver lists them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-gpus-'));
  await writeFile(join(folder, '0000:01:00.0'), '');
  expect(countGpus(folder)).toBe(1);
  await rm(folder, { recursive: true });
  expect(countGpus(folder)).toBe(0);
});
