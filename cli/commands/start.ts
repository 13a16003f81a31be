import { Args, Flags } from '@oclif/core';
import { askerOf, commitFlags } from '../flags.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Start extends VerbCommand {
  static override description =
    'start a service that `stop` stopped, or run a job that has a schedule now, and wait until it runs; with --commit as many instances as its file had before `stop --commit`';
  static override args = { service: Args.string({ required: true, description: 'name of a service' }) };
  static override flags = {
    ...commitFlags,
    reason: Flags.string({ dependsOn: ['commit'], description: 'why, for the message of the commit' }),
    ...waitFlags,
  };
  static override examples = ['<%= config.bin %> start shop.default.web.default'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Start);
    const api = await this.connect(flags);
    if (flags.commit) {
      const { commitStart } = await import('../services/commit-service.ts');
      const committed = await commitStart(api, args.service, askerOf(flags), this.signal);
      return this.conclude(api, committed, { ...flags, text: 'started' });
    }
    const answer = await api.start(args.service, actorName(), this.signal);
    await this.conclude(api, answer, { ...flags, text: 'started' });
  }
}
