import { Flags } from '@oclif/core';
import { isProblemError } from '../../../../schemas/problem.ts';
import { BaseCommand } from '../../../base-command.ts';
import { durationFlag } from '../../../flags.ts';
import { actorName } from '../../../services/actor.ts';

export default class NodesTokenCreate extends BaseCommand {
  static override description = 'create a token with which a node joins; it is shown once';
  static override flags = {
    name: Flags.string({ description: 'only for a node of this name' }),
    ttl: durationFlag({ description: 'how long it is good for: 1h, at most 30d; default 1h' }),
    'unless-joined': Flags.boolean({
      dependsOn: ['name'],
      description: 'print no token, and succeed, if a node of that name has joined already',
    }),
    uses: Flags.integer({ min: 1, description: 'how many nodes may join with it; default 1' }),
  };
  static override examples = ['<%= config.bin %> nodes token create --name edge-7 --ttl 1h'];

  async run(): Promise<void> {
    const { flags } = await this.parse(NodesTokenCreate);
    const { name, ttl, uses } = flags;
    const request = { ...(name && { name }), ...(ttl && { ttl }), ...(uses && { uses }), actor: actorName() };
    const answer = await (await this.connect(flags)).createToken(request, this.signal).catch((error: unknown) => {
      if (flags['unless-joined'] && isProblemError(error) && error.problem.code === 'NAME_TAKEN') return undefined;
      throw error;
    });
    if (!answer) return this.say(`${name} has joined already: no token is needed.`);
    await this.printOne(flags.output, answer, { name: answer.id, text: ({ token }) => token });
    this.say(`Good until ${new Date(answer.expires).toISOString()}; it goes into the node's agent.yaml as \`token\`.`);
  }
}
