import { Args } from '@oclif/core';
import { usage } from '../base-command.ts';
import { askerOf, commitFlags, verbFlags, verbRequest } from '../flags.ts';
import { renumberedText } from '../render/verbs.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Scale extends VerbCommand {
  static override description =
    'run so many instances of a service, and wait for it: new ones get the next numbers, the highest go first. For what git owns it is an override, or with --commit a commit';
  static override args = {
    service: Args.string({ required: true, description: 'name of a service' }),
    replicas: Args.string({ required: true, description: 'how many instances' }),
  };
  static override flags = { ...verbFlags, ...commitFlags, ...waitFlags };
  static override examples = [
    '<%= config.bin %> scale shop.default.web.default 5',
    '<%= config.bin %> scale web 5 --for 2h --reason "sale until noon"',
    '<%= config.bin %> scale web 5 --commit --reason "it is always full"',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Scale);
    if (!/^\d{1,5}$/.test(args.replicas) || Number(args.replicas) > 10_000)
      usage(`\`${args.replicas}\` is not a number from 0 to 10000`, 'oakctl scale web 3');
    const replicas = Number(args.replicas);
    const api = await this.connect(flags);
    const text = `scaled to ${replicas}`;
    if (flags.commit) {
      const { commitScale } = await import('../services/commit-service.ts');
      const asked = { service: args.service, replicas };
      const { renumbered, ...committed } = await commitScale(api, asked, askerOf(flags), this.signal);
      for (const line of renumberedText(renumbered)) this.say(line);
      return this.conclude(api, committed, { ...flags, text });
    }
    const request = { ...verbRequest(flags), replicas, actor: actorName() };
    const answer = await api.scale(args.service, request, this.signal);
    await this.conclude(api, answer, { ...flags, text });
  }
}
