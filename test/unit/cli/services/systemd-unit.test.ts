import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemdUnit } from '../../../../cli/services/systemd-unit.ts';

const command = ['/usr/bin/node', '/opt/oakctl/dist/cli/bin/oakctl.js'];
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('a systemd unit', () => {
  it('starts the program on its folder, which it may write', () => {
    const unit = systemdUnit({ role: 'agent', folder: '/var/lib/oakctl', command });
    expect(unit).toContain(`ExecStart=${command.join(' ')} agent --folder /var/lib/oakctl\n`);
    expect(unit).toContain('ReadWritePaths=/var/lib/oakctl\n');
    expect(unit).toContain('User=root\n');
    expect(unit).toContain('KillMode=process\n');
  });

  it('ends nothing but its own process: what an agent started outlives a restart, and an upgrade, of the unit', () => {
    const agent = systemdUnit({ role: 'agent', folder: '/var/lib/oakctl', command });
    const reconciler = systemdUnit({ role: 'reconciler', folder: '/var/lib/oakctl', command });
    // Shims of processes are in the group of the unit; containers belong to the engine, which it must not be tied to.
    expect(agent).toMatch(/^KillMode=process$/m);
    expect(reconciler).toMatch(/^KillMode=mixed$/m);
    for (const unit of [agent, reconciler]) {
      expect(unit).toMatch(/^Restart=always$/m);
      expect(unit).not.toMatch(/^(ExecStop|ExecStopPost|BindsTo|PartOf|Requires|PropagatesStopTo|RuntimeDirectory)=/m);
    }
  });

  it('takes every capability from a reconciler, which is not root', () => {
    const unit = systemdUnit({ role: 'reconciler', folder: '/srv/x', command });
    expect(unit).toContain('User=oakctl\n');
    expect(unit).toContain('CapabilityBoundingSet=\n');
    expect(systemdUnit({ role: 'reconciler', folder: '/srv/x', command, user: 'fleet' })).toContain('User=fleet\n');
  });

  it('says paths so that systemd reads them as they are', () => {
    const unit = systemdUnit({ role: 'agent', folder: '/srv/a b"c%d$e', command: ['/usr/bin/node', '/opt/o k.js'] });
    expect(unit).toContain('ExecStart=/usr/bin/node "/opt/o k.js" agent --folder "/srv/a b\\"c%%d$$e"\n');
    expect(unit).toContain('ReadWritePaths="/srv/a b\\"c%%d$e"\n');
  });

  it.skipIf(!hasAnalyze).each(['agent', 'reconciler'] as const)('of the %s is understood by systemd', async (role) => {
    const folder = await mkdtemp(join(tmpdir(), 'oakctl-unit-'));
    try {
      const file = join(folder, `oakctl-${role}.service`);
      await writeFile(
        file,
        systemdUnit({ role, folder: '/var/lib/oak ctl', command: [process.execPath, '/a%b'], user: 'root' }),
      );
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      const own = stderr.split('\n').filter((line) => line.includes(`oakctl-${role}`));
      expect({ status, own }).toEqual({ status: 0, own: [] });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
