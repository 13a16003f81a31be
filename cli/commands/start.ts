import { Args } from '@oclif/core';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Start extends VerbCommand {
  static override description =
    'start a service that `stop` stopped, or run a job that has a schedule now, and wait until it runs';
  static override args = { service: Args.string({ required: true, description: 'name of a service' }) };
  static override flags = waitFlags;
  static override examples = ['<%= config.bin %> start shop.default.web.default'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Start);
    const api = await this.connect(flags);
    const answer = await api.start(args.service, actorName(), this.signal);
    await this.conclude(api, answer, { ...flags, text: 'started' });
  }
}
