import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeBrokerConfig } from '../../../cli/services/broker-config.ts';
import { eventually } from '../../support/eventually.ts';
import { ownPort } from '../../support/machine.ts';
import { hasMosquitto } from '../../support/mosquitto.ts';

const groups = await readFile('/etc/group', 'utf8').catch(() => '');
const isRoot = process.getuid?.() === 0 && /^mosquitto:/m.test(groups) && hasMosquitto();

it.skipIf(!isRoot)(
  'a Mosquitto that root starts reads its passwords as its own user, and nobody else does',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'oakctl-broker-config-'));
    await chmod(folder, 0o755);
    const config = {
      cluster: 'test',
      host: '127.0.0.1',
      port: await ownPort(190),
      reconcilers: ['reconciler'],
      folder,
    };
    await writeBrokerConfig('mosquitto', config);
    let log = '';
    const child = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      await eventually(() => expect(log).toContain(' running'), { timeout: 20_000 });
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).not.toBe('0');
    } finally {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    }
  },
);
