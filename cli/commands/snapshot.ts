import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';

export default class Snapshot extends BaseCommand {
  static override description =
    'save all that a plan rests on (nodes, what runs, what is wanted, policy; no credential), for `plan --offline`';
  static override flags = { out: Flags.string({ description: 'file to write; default: standard output' }) };
  static override examples = [
    '<%= config.bin %> snapshot --out cluster.json',
    '<%= config.bin %> snapshot > cluster.json',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Snapshot);
    const snapshot = await (await this.connect(flags)).snapshot(this.signal);
    if (flags.out === undefined) {
      await this.printOne(flags.output, snapshot, { name: snapshot.cluster, text: (value) => JSON.stringify(value) });
      return;
    }
    const { saveSnapshot } = await import('../services/snapshot.ts');
    const saved = await saveSnapshot(snapshot, flags.out);
    const text = `${saved.file}: ${snapshot.cluster} as it is now, ${Math.ceil(saved.bytes / 1024)} KiB`;
    await this.printOne(flags.output, saved, { name: saved.file, text: () => text });
    this.say('It holds environment values and file contents of descriptors, and no credential.');
  }
}
