import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const shop = unique('shop');
const web = fullName(shop, 'web');
const worker = 'worker-2';

describe.skipIf(!(await engineAnswers()))('files, and access to the host', () => {
  let cluster: TestCluster;
  let data: string;
  let text: string;
  let line = '';

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    data = await realpath(await mkdtemp(join(tmpdir(), 'oakctl-data-')));
    await mkdir(join(data, 'shared'));
    await writeFile(join(data, 'shared/page'), 'from the host\n');
    cluster = await createTestCluster({ workers: 2 });
    text = descriptor(shop, {
      web: {
        code,
        cmd: ['sleep', '1000'],
        files: [{ path: '/etc/web.conf', from: 'conf/web.conf', mode: '0640' }],
        host: { devices: ['/dev/full'], mounts: [{ source: join(data, 'shared'), target: '/data', read_only: true }] },
      },
    });
  });
  afterAll(async () => {
    await takeDown(cluster);
    await rm(data, { recursive: true, force: true });
  });

  it('validate names the grant that a node needs', async () => {
    await writeFile(join(data, 'shop.yaml'), text);
    expect((await cluster.run('validate', join(data, 'shop.yaml'))).stderr).toContain('there is no file conf/web.conf');
    await mkdir(join(data, 'conf'));
    await writeFile(join(data, 'conf/web.conf'), 'one\n');
    const { code, stderr } = await cluster.run('validate', join(data, 'shop.yaml'));
    expect(code).toBe(0);
    line = /- \{ app: .* \}/.exec(stderr)?.[0] ?? '';
    expect(line).toContain('devices: [/dev/full]');
  });

  it('without it the service waits, and says so with the same line', async () => {
    await cluster.oakctl('deploy', '--detach', join(data, 'shop.yaml'));
    const hold = await eventually(async () => {
      const [service] = await cluster.services();
      return service?.holds.find(({ code }) => code === 'HOST_NOT_GRANTED');
    });
    expect(hold?.message).toContain(line);
    expect(await cluster.containers()).toEqual([]);
  });

  it('with it the service runs there, with its file, its device and its folder', async () => {
    const policy = join(cluster.folder, 'workers', worker, 'policy.yaml');
    await writeFile(policy, `grants:\n  ${line}\n`, { mode: 0o600 });
    await cluster.oakctl('stop', worker);
    await cluster.oakctl('up', worker);
    const [instance] = await cluster.settled({ [web]: 1 });
    expect(instance?.node).toBe(worker);
    const [container] = await cluster.containers();
    const run = await new Docker().getContainer(container?.id ?? '').exec({
      Cmd: [
        'sh',
        '-c',
        'cat /etc/web.conf /data/page; stat -c %a /etc/web.conf; test -c /dev/full && echo device; touch /data/x || true',
      ],
      AttachStdout: true,
      Tty: true,
    });
    const stream = await run.start({ Tty: true });
    let said = '';
    for await (const chunk of stream) said += String(chunk);
    expect(said.trim().split(/\r?\n/)).toEqual([
      'one',
      'from the host',
      '640',
      'device',
      expect.stringContaining('Read-only file system'),
    ]);
  });

  it('a new content of the file is a new version', async () => {
    await writeFile(join(data, 'conf/web.conf'), 'two\n');
    const before = (await cluster.containers())[0]?.id;
    await cluster.oakctl('deploy', join(data, 'shop.yaml'));
    expect((await cluster.containers()).find(({ state }) => state === 'running')?.id).not.toBe(before);
  });
});
