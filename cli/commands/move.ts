import { Args, Flags } from '@oclif/core';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { verbFlags, verbRequest } from '../flags.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Move extends VerbCommand {
  static override description =
    'move an instance to another node: it is healthy there before it stops here; for what git owns an override; waits like `deploy`';
  static override args = {
    instance: Args.string({ required: true, description: 'instance, e.g. web.default.web.default.instance.0' }),
  };
  static override flags = {
    to: Flags.string({ required: true, description: 'name, id or alias of a node' }),
    ...verbFlags,
    commit: Flags.boolean({ hidden: true, description: 'refused: a descriptor does not say where one instance is' }),
    ...waitFlags,
    'accept-empty-volume': Flags.boolean({
      description: 'leave its data behind: it starts with empty volumes there, or with what it left there before',
    }),
  };
  static override examples = [
    '<%= config.bin %> move shop.default.web.default.instance.0 --to worker-2',
    '<%= config.bin %> move shop.default.db.default.instance.0 --to worker-3 --accept-empty-volume',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Move);
    const api = await this.connect(flags);
    if (flags.commit) await this.refuseCommit(api, args.instance, flags.to);
    const data = flags['accept-empty-volume'] && { accept_empty_volume: true };
    const request = { ...verbRequest(flags), to: flags.to, ...data, actor: actorName() };
    const answer = await api.move(args.instance, request, this.signal);
    await this.concludeSlot(api, answer, { ...flags, text: `moves to ${answer.node}` });
  }

  /** A `direct` constraint would bind all instances, and for good: nothing would replace them when that node is lost. */
  private async refuseCommit(api: ApiClient, instance: string, to: string): Promise<never> {
    const [view] = await api.instances([instance], this.signal);
    const { file, line, name } = await api.service(view?.service ?? instance, this.signal);
    const message = 'a descriptor says where a service may be, not where one of its instances is';
    const hint = `without --commit it moves; to bind all of ${name} for good, write \`constraints: [{type: direct, node: ${to}}]\` there`;
    const place = { ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
    throw new ProblemError(problem('REFUSED', message, { ...place, subject: instance, hint }));
  }
}
