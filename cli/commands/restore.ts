import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { clusterFolder } from '../home.ts';
import { passphraseFlag, readPassphrase } from '../services/passphrase.ts';

export default class RestoreCommand extends BaseCommand {
  static override description =
    'make a cluster on this host out of a backup; its reconciler takes over from the one that was backed up, and nothing restarts';
  static override args = { file: Args.string({ required: true, description: 'what `oakctl backup` wrote' }) };
  static override flags = {
    folder: Flags.string({ description: 'folder of the reconciler; default that of the cluster of this name' }),
    force: Flags.boolean({ description: 'also where a cluster is already: it is put aside in the same folder' }),
    bind: Flags.string({ description: 'address of this host to listen on, written into cluster.yaml' }),
    ...passphraseFlag,
  };
  static override examples = [
    '<%= config.bin %> restore fleet.backup --bind 192.168.1.20',
    '<%= config.bin %> restore fleet.backup --folder /var/lib/oakctl --passphrase-file /root/passphrase',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RestoreCommand);
    const passphrase = await readPassphrase(flags['passphrase-file']);
    const { checkBind, listenAt, localSources, readBackupFile } = await import('../services/backup.ts');
    const { restore } = await import('../../reconciler/backup-main.ts');
    checkBind(flags.bind);
    const restored = await restore(await readBackupFile(args.file), {
      file: args.file,
      folderOf: (cluster) => (flags.folder === undefined ? clusterFolder(this.home, cluster) : resolve(flags.folder)),
      force: flags.force,
      now: Date.now(),
      ...(passphrase !== undefined && { passphrase }),
    });
    const { folder, cluster, nodes, services, kept, aside } = restored;
    if (flags.bind !== undefined && restored.settings) await listenAt(folder, flags.bind);
    await this.printOne(flags.output, restored, { name: folder, text: () => folder });
    this.say(`${cluster}: ${nodes} nodes, ${services} services, as of ${new Date(restored.taken).toISOString()}`);
    for (const file of kept) this.say(`${file} was there, and stays.`);
    if (aside !== undefined) this.say(`What was there before is in ${aside}.`);
    for (const url of await localSources(folder))
      this.say(`Its source ${url} is a folder of its old host: bring it along.`);
    if (!restored.settings) {
      const bind = flags.bind === undefined ? '' : ` OAKCTL_BIND=${flags.bind}`;
      this.say(
        `Its settings come from the environment. Stop the old reconciler, and start this one with them (${folder}):`,
      );
      return this.say(`  CLUSTER_NAME=${cluster}${bind} oakctl reconciler`);
    }
    this.say(`Check where it listens in ${folder}/cluster.yaml, stop the old reconciler, and start this one:`);
    this.say(`  oakctl reconciler --folder ${folder}`);
  }
}
