import { Args, Flags } from '@oclif/core';
import { verbFlags, verbRequest } from '../flags.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Replicate extends VerbCommand {
  static override description =
    'run one more instance like this one; for what git owns an override; waits like `deploy`';
  static override args = {
    instance: Args.string({ required: true, description: 'instance, e.g. web.default.web.default.instance.0' }),
  };
  static override flags = {
    to: Flags.string({ description: 'name, id or alias of a node (default: the best one)' }),
    ...verbFlags,
    ...waitFlags,
  };
  static override examples = [
    '<%= config.bin %> replicate shop.default.web.default.instance.0',
    '<%= config.bin %> replicate shop.default.web.default.instance.0 --to worker-2',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replicate);
    const api = await this.connect(flags);
    const request = { ...verbRequest(flags), actor: actorName(), ...(flags.to === undefined ? {} : { to: flags.to }) };
    const answer = await api.replicate(args.instance, request, this.signal);
    const where = answer.node === undefined ? '' : ` on ${answer.node}`;
    await this.concludeSlot(api, answer, { ...flags, text: `is added${where}` });
  }
}
