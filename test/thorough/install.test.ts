/** A machine without Node becomes a node by one line, and is none any more without a trace. */

import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeView } from '../../schemas/views.ts';
import { type BareMachine, createBareMachine, mayBeBare } from '../support/bare-machine.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const address = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const app = unique('bare');
const web = fullName(app, 'web');
const name = unique('edge');
const service = '/var/lib/oakctl-agent';

describe.skipIf(!mayBeBare || !address || !(await engineAnswers()))('a bare machine', () => {
  let cluster: TestCluster | undefined;
  let bare: BareMachine | undefined;
  let before: readonly string[];
  let line: string;
  let end: (() => Promise<void>) | undefined;

  const there = (): { cluster: TestCluster; bare: BareMachine } => {
    if (!cluster || !bare) throw new Error('nothing was set up');
    return { cluster, bare };
  };
  const installed = async (): Promise<string> => (await there().bare.run('ls /opt/oakctl')).text;
  const node = async (): Promise<NodeView | undefined> =>
    (await there().cluster.nodes()).find((one) => one.name === name && one.state !== 'revoked');

  beforeAll(async () => {
    const flags = ['--bind', address ?? ''];
    [bare, cluster] = await Promise.all([
      createBareMachine(['/var/run/docker.sock']),
      createTestCluster({ name: 'bare', workers: 1, runtime: 'process', flags }),
    ]);
    before = await bare.files();
    line = (await cluster.oakctl('nodes', 'add', name, '--label', 'zone=hall 2', '--location', "o'hare")).trim();
  });
  afterAll(async () => {
    await end?.();
    await bare?.close();
    await takeDown(cluster);
  });

  it('installs nothing from a stranger, from a changed script, or of a changed package', async () => {
    const { cluster, bare } = there();
    const stranger = createServer((_request, response) => response.end('touch /pwned\n'));
    await new Promise<void>((resolve) => stranger.listen(0, address, resolve));
    try {
      const { port } = stranger.address() as AddressInfo;
      const moved = line.replace(/http:\/\/[^ ]+\/v1/, `http://${address}:${port}/v1`);
      expect(await bare.run(moved)).toMatchObject({
        code: 1,
        text: expect.stringContaining('REFUSED: nothing was run'),
      });
    } finally {
      stranger.close();
    }
    const file = join(cluster.folder, 'packages/oakctl-agent-amd64.tar.gz');
    const whole = await readFile(file);
    const handle = await open(file, 'r+');
    await handle.write(Buffer.from([(whole[1_000_000] ?? 0) ^ 1]), 0, 1, 1_000_000);
    await handle.close();
    const { code, text } = await bare.run(line);
    await writeFile(file, whole);
    expect(code).toBe(1);
    expect(text).toContain('is not the package that the cluster announced; nothing was installed');
    expect((await bare.files()).filter((path) => !before.includes(path))).toEqual([`${bare.folder}/opt/oakctl`]);
  });

  it.each([
    ['without root', { user: '65534:65534' }, 'this needs root, and there is no sudo'],
    ['of another kind', { path: '/fake:/usr/bin:/bin' }, 'there are no packages for riscv64'],
    ['that is full', { path: '/full:/usr/bin:/bin' }, 'there is no space: /opt/oakctl has 1 MB, and'],
  ])('%s is told what is missing', async (_what, options, message) => {
    const { bare } = there();
    const fakes = {
      fake: ['uname', 'case $1 in -m) echo riscv64 ;; *) echo Linux ;; esac'],
      full: ['df', 'echo a b c 1024 e'],
    };
    for (const [folder, [tool, text]] of Object.entries(fakes)) {
      await mkdir(join(bare.folder, folder), { recursive: true });
      await writeFile(join(bare.folder, folder, tool ?? ''), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    const { code, text } = await bare.run(line, options);
    for (const folder of Object.keys(fakes)) await rm(join(bare.folder, folder), { recursive: true });
    expect(code).not.toBe(0);
    expect(text).toContain(message);
  });

  it('is a node within 30 s of the line, after an interrupted try, and over TLS', async () => {
    const { cluster, bare } = there();
    const began = performance.now();
    for (const left of ['.new.999999', '0.0.9-0123456789ab', 'mine'])
      await mkdir(join(bare.folder, 'opt/oakctl', left), { recursive: true });
    await writeFile(join(bare.folder, 'opt/oakctl/0.0.9-0123456789ab/complete'), '');
    const { code, text } = await bare.run(line);
    expect([code, text]).toEqual([0, expect.stringContaining(`${name} has joined ${cluster.name}`)]);
    // What somebody else put there stays.
    expect(await installed()).toMatch(/^0\.\d+\.\d+-[0-9a-f]{12}\nmine\n$/);
    expect(text).toContain('0.0.9-0123456789ab');
    await rm(join(bare.folder, 'opt/oakctl/mine'), { recursive: true });
    const start = /^ {2}(\/opt\/.*)$/m.exec(text)?.[1] ?? '';
    const unit = (await bare.run(`oakctl systemd agent --folder ${service}`)).text;
    expect(unit).toContain(`ExecStart=${start}\n`);
    expect(unit).toContain(`ReadWritePaths=${service}\n`);
    end = bare.start(start);
    await eventually(async () => expect(await node()).toMatchObject({ state: 'online', labels: { zone: 'hall 2' } }), {
      timeout: 60_000,
      what: 'the node',
    });
    console.error(`ready ${((performance.now() - began) / 1000).toFixed(1)} s after the line was pasted`);
    const identity = await readFile(join(bare.folder, service, 'state/identity'), 'utf8');
    expect(identity).toContain('BEGIN CERTIFICATE');
    expect(await readFile(join(bare.folder, service, 'agent.yaml'), 'utf8')).not.toContain('oak1.');
    expect((await bare.run('oakctl agent --check')).code).not.toBe(0);
    expect((await bare.run(`oakctl agent --check --folder ${service}`)).text).toContain('The agent answers');
  });

  it('has nothing native of ours but Node itself', async () => {
    const find =
      'find /opt/oakctl -name "*.node" -o -name binding.gyp; grep -rl --include=package.json gypfile /opt/oakctl';
    expect((await there().bare.run(find)).text).toBe('');
  });

  it('runs what is deployed to it, and is clean again after the uninstallation', async () => {
    const { cluster, bare } = there();
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    const file = join(cluster.home, 'app.yaml');
    await writeFile(file, descriptor(app, { web: { code, memory: 20 } }));
    await cluster.oakctl('deploy', file);
    await cluster.settled({ [web]: 1 });
    const id = (await node())?.id;
    expect((await cluster.containers()).map((one) => one.node)).toEqual([id]);
    expect(await bare.run('oakctl agent uninstall')).toMatchObject({ code: 2, text: expect.stringContaining('--yes') });

    const { code: ended, text } = await bare.run('oakctl agent uninstall --yes');
    expect([ended, text]).toEqual([0, expect.stringContaining(`${name} is uninstalled: 1 container removed`)]);
    expect(text).toContain(`oakctl nodes rm ${name}`);
    expect((await cluster.containers()).filter((one) => one.node === id)).toEqual([]);
    const left = (await bare.files()).filter((path) => !before.includes(path));
    expect(left).toEqual([]);
  });
});
