import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { actorName } from '../../services/actor.ts';

export default class OverridesRm extends BaseCommand {
  static override description = 'end an override: its service is again as its source says';
  static override aliases = ['overrides remove'];
  static override args = { override: Args.string({ required: true, description: 'id, as `overrides ls` shows it' }) };
  static override examples = ['<%= config.bin %> overrides rm 1a2b3c4d'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(OverridesRm);
    const api = await this.connect(flags);
    const answer = await api.removeOverride(args.override, actorName(), this.signal);
    await this.printOne(flags.output, answer, { name: answer.removed, text: () => `${answer.removed} is ended` });
  }
}
