import { Args, Flags } from '@oclif/core';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
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
    commit: Flags.boolean({ hidden: true, description: 'refused: it is `scale --commit` with one more' }),
    ...waitFlags,
  };
  static override examples = [
    '<%= config.bin %> replicate shop.default.web.default.instance.0',
    '<%= config.bin %> replicate shop.default.web.default.instance.0 --to worker-2',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replicate);
    const api = await this.connect(flags);
    if (flags.commit) await this.refuseCommit(api, args.instance);
    const request = { ...verbRequest(flags), actor: actorName(), ...(flags.to === undefined ? {} : { to: flags.to }) };
    const answer = await api.replicate(args.instance, request, this.signal);
    const where = answer.node === undefined ? '' : ` on ${answer.node}`;
    await this.concludeSlot(api, answer, { ...flags, text: `is added${where}` });
  }

  /** A descriptor has a number of instances. Which one is copied, and where to, is of the moment. */
  private async refuseCommit(api: ApiClient, instance: string): Promise<never> {
    const [view] = await api.instances([instance], this.signal);
    const { file, line, name, replicas } = await api.service(view?.service ?? instance, this.signal);
    const message = 'a descriptor says how many instances there are, not which of them is copied, nor where to';
    const more = replicas === 'every' ? '' : `; for good: \`oakctl scale ${name} ${replicas + 1} --commit\``;
    const place = { ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
    const hint = `without --commit it is an override${more}`;
    throw new ProblemError(problem('REFUSED', message, { ...place, subject: instance, hint }));
  }
}
