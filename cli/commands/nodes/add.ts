import { Args, Flags } from '@oclif/core';
import { formatAdvertised } from '../../../schemas/addresses.ts';
import { nodeNamePattern } from '../../../schemas/names.ts';
import type { Problem } from '../../../schemas/problem.ts';
import { BaseCommand, usage } from '../../base-command.ts';
import { durationFlag, replaceFlags } from '../../flags.ts';
import { replacementText, unreadableText } from '../../render/nodes.ts';
import { renderProblems } from '../../render/problems.ts';
import { actorName } from '../../services/actor.ts';
import { addNode } from '../../services/add-node.ts';
import { nodeFlags } from '../../services/node-flags.ts';

export default class NodesAdd extends BaseCommand {
  static override summary = 'print one line that makes a bare Linux machine a node, once it is pasted there';
  static override description =
    `The line fetches a script from the reconciler and runs it if it has the right SHA-256; the script installs a package of the agent, with
Node inside, as a systemd service that joins over TLS. It holds a join token: whoever has it first becomes the node.`;
  static override args = { name: Args.string({ description: 'name of the node; default its host name' }) };
  static override flags = {
    ...nodeFlags,
    replace: Flags.string({
      exclusive: ['uses'],
      description: 'the new machine takes the place of this node, once it has reported',
    }),
    ...replaceFlags,
    valid: durationFlag({ description: 'how long the line is good for: 1h, at most 30d; default 1h' }),
    uses: Flags.integer({ min: 1, description: 'how many machines may use it; default 1' }),
    address: Flags.string({
      description: 'host, host:port or URL under which the new machine reaches the API; default the one in use',
    }),
  };
  static override examples = [
    '<%= config.bin %> nodes add edge-7',
    '<%= config.bin %> nodes add edge-7 --label zone=hall-2 --location "hall 2" --valid 15m',
    '<%= config.bin %> nodes add --replace edge-7',
    '<%= config.bin %> nodes add --uses 20 --address 192.168.1.10',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesAdd);
    const { label = [], location, ip, advertise, runtime = [], valid, uses, address, replace, force } = flags;
    const name = replace ?? args.name;
    if (replace !== undefined && args.name !== undefined)
      usage('the new machine gets the name of the node that it replaces', `nodes add --replace ${replace}`);
    const place = { replace: true, force, accept_empty_volume: flags['accept-empty-volume'] };
    if (name !== undefined && !nodeNamePattern.test(name))
      usage(`\`${name}\` is no name for a node`, 'letters, digits, - and _');
    if (name !== undefined && uses !== undefined && uses > 1)
      usage('a name is for one machine', 'leave out the name, or --uses');
    const added = await addNode(
      await this.connect(flags),
      {
        node: {
          ...(name && { name }),
          labels: label,
          ...(location && { location }),
          ...(ip && { ip }),
          ...(advertise && { advertise: formatAdvertised(advertise) }),
          runtimes: runtime,
        },
        token: {
          ...(valid && { ttl: valid }),
          ...(uses && { uses }),
          ...(replace !== undefined && place),
          actor: actorName(),
        },
        ...(address && { address }),
        warn: (problem: Problem) => this.say(renderProblems([{ ...problem, severity: 'warning' }], this.paint('err'))),
        say: (text) => this.say(text),
      },
      this.signal,
    );
    await this.printOne(flags.output, added, { name: added.id, text: ({ line }) => line });
    const { architectures, expires, replaces } = added;
    if (replaces) this.say(`\n${replacementText(replaces)}`);
    this.say(
      `\nPaste it on the new machine. Good until ${new Date(expires).toISOString()}, for ${architectures.join(', ')}.`,
    );
    this.say(
      '`oakctl nodes ls --watch` shows it coming; `oakctl nodes packages`, for which machines there are packages.',
    );
    for (const text of unreadableText(added)) this.say(text);
  }
}
