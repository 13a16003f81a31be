import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { revisionListing } from '../render/revisions.ts';

export default class History extends BaseCommand {
  static override description = 'list what the sources were at: who, when, what changed, and what became of it';
  static override args = { source: Args.string({ description: 'name of a source' }) };
  static override examples = ['<%= config.bin %> history', '<%= config.bin %> history fleet -o wide'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(History);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.history(args.source, this.signal), revisionListing);
  }
}
