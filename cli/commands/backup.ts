import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { clusterOfEnvironment } from '../services/environment.ts';
import { writeNew } from '../services/new-file.ts';
import { passphraseFlag, readPassphrase } from '../services/passphrase.ts';

export default class BackupCommand extends BaseCommand {
  static override description =
    'write the identity and the records of a cluster to one file, on the host of its reconciler, which may be running; of one that is set by its environment, with that environment';
  static override flags = {
    folder: Flags.directory({ exists: true, description: 'folder of the reconciler; default that of the cluster' }),
    out: Flags.string({ description: 'file to write, which must not be there; default <cluster>-<time>.backup' }),
    ...passphraseFlag,
  };
  static override examples = [
    '<%= config.bin %> backup',
    '<%= config.bin %> backup --folder /var/lib/oakctl --out fleet.backup --passphrase-file /root/passphrase',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(BackupCommand);
    const passphrase = await readPassphrase(flags['passphrase-file']);
    const { chooseFolder } = await import('../services/backup.ts');
    const { backup } = await import('../../reconciler/backup-main.ts');
    const own = process.env['CLUSTER_NAME']?.trim() ? clusterOfEnvironment(this.home, process.env) : undefined;
    const named = flags.context === undefined ? own?.folder : undefined;
    const folder = flags.folder ?? named ?? (await chooseFolder(this.home, flags.context));
    const { text, summary } = await backup(folder, {
      now: Date.now(),
      ...(passphrase !== undefined && { passphrase }),
      ...(own && resolve(folder) === own.folder && { given: own.given }),
    });
    const time = new Date(summary.taken).toISOString().slice(0, 19).replaceAll(':', '-');
    const file = resolve(flags.out ?? `${summary.cluster}-${time}.backup`);
    await writeNew(file, text, 'secret');
    const sealed = passphrase !== undefined;
    const written = { file, sealed, bytes: Buffer.byteLength(text), ...summary };
    await this.printOne(flags.output, written, { name: file, text: () => file });
    this.say(`${summary.cluster}: ${summary.nodes} nodes, ${summary.services} services, ${written.bytes} bytes`);
    if (!sealed)
      this.say(
        'It holds the master key in the open, and logins of registries: whoever reads it has the cluster. --passphrase-file seals it.',
      );
  }
}
