import { Args, Flags } from '@oclif/core';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Undelete extends VerbCommand {
  static override description =
    'let a service run on that git removed, within ten minutes of that: until a source says it again, or `delete`';
  static override args = { service: Args.string({ required: true, description: 'a service' }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for those who see the override' }),
    ...waitFlags,
  };
  static override examples = ['<%= config.bin %> undelete web --reason "it is still used"'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Undelete);
    const api = await this.connect(flags);
    const request = { ...(flags.reason !== undefined && { reason: flags.reason }), actor: actorName() };
    const answer = await api.undelete(args.service, request, this.signal);
    await this.conclude(api, answer, { ...flags, text: 'undeleted' });
  }
}
