import { Flags } from '@oclif/core';
import { isProblemError } from '../../../../schemas/problem.ts';
import { BaseCommand } from '../../../base-command.ts';
import { durationFlag, replaceFlags } from '../../../flags.ts';
import { replacementText } from '../../../render/nodes.ts';
import { actorName } from '../../../services/actor.ts';

export default class NodesTokenCreate extends BaseCommand {
  static override description = 'create a token with which a node joins; it is shown once';
  static override flags = {
    name: Flags.string({ description: 'only for a node of this name' }),
    replace: Flags.boolean({
      dependsOn: ['name'],
      exclusive: ['uses', 'unless-joined'],
      description: 'for another machine, which takes the place of the node of that name once it has reported',
    }),
    ...replaceFlags,
    ttl: durationFlag({ description: 'how long it is good for: 1h, at most 30d; default 1h' }),
    'unless-joined': Flags.boolean({
      dependsOn: ['name'],
      description: 'print no token, and succeed, if a node of that name has joined already',
    }),
    uses: Flags.integer({ min: 1, description: 'how many nodes may join with it; default 1' }),
  };
  static override examples = [
    '<%= config.bin %> nodes token create --name edge-7 --ttl 1h',
    '<%= config.bin %> nodes token create --name edge-7 --replace',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(NodesTokenCreate);
    const { name, ttl, uses, replace, force } = flags;
    const place = { replace, force, accept_empty_volume: flags['accept-empty-volume'] };
    const request = {
      ...(name && { name }),
      ...(ttl && { ttl }),
      ...(uses && { uses }),
      ...(replace && place),
      actor: actorName(),
    };
    const answer = await (await this.connect(flags)).createToken(request, this.signal).catch((error: unknown) => {
      if (flags['unless-joined'] && isProblemError(error) && error.problem.code === 'NAME_TAKEN') return undefined;
      throw error;
    });
    if (!answer) return this.say(`${name} has joined already: no token is needed.`);
    await this.printOne(flags.output, answer, { name: answer.id, text: ({ token }) => token });
    if (answer.replaces) this.say(replacementText(answer.replaces));
    this.say(`Good until ${new Date(answer.expires).toISOString()}; it goes into the node's agent.yaml as \`token\`.`);
  }
}
