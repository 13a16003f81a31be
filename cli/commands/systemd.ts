import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { type Role, systemdUnit } from '../services/systemd-unit.ts';

const roles = ['reconciler', 'agent'] as const satisfies readonly Role[];

export default class Systemd extends BaseCommand {
  static override summary = 'print a systemd unit that runs a reconciler or an agent of this machine';
  static override description =
    'It runs this very program, may write its folder and nothing else, and is started again when it ends. Needs systemd 247 or newer.';
  static override args = {
    process: Args.string({ required: true, options: [...roles], description: 'what the unit runs' }),
  };
  static override flags = {
    folder: Flags.string({ required: true, description: 'folder of the reconciler or agent' }),
    user: Flags.string({ description: 'system user; default oakctl for a reconciler, root for an agent' }),
  };
  static override examples = [
    '<%= config.bin %> systemd agent --folder /var/lib/oakctl > /etc/systemd/system/oakctl-agent.service',
    '<%= config.bin %> systemd reconciler --folder /var/lib/oakctl --user fleet',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Systemd);
    const program = fileURLToPath(new URL('../bin/oakctl.js', import.meta.url));
    const unit = systemdUnit({
      role: args.process as Role,
      folder: resolve(flags.folder),
      command: [process.execPath, program],
      ...(flags.user !== undefined && { user: flags.user }),
    });
    this.print(unit.trimEnd());
    this.say('Then `systemctl daemon-reload` and `systemctl enable --now` with the name of the file.');
  }
}
