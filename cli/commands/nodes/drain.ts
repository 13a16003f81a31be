import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { durationFlag } from '../../flags.ts';
import { createProgress } from '../../progress.ts';
import { drainLines, renderDrained } from '../../render/nodes.ts';
import { actorName } from '../../services/actor.ts';
import { defaultTimeout } from '../../services/deploy.ts';
import { exitCodeOfDrain, waitUntilDrained } from '../../services/drain.ts';

export default class NodesDrain extends BaseCommand {
  static override description =
    'cordon a node and move its instances elsewhere, new copies first, one by one per service; done (0), failed elsewhere (1) or took too long (3). `nodes uncordon` ends it';
  static override args = { node: Args.string({ required: true, description: 'name, id or alias of a node' }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for those who look at the node' }),
    timeout: durationFlag({ description: 'how long to wait at most (default 11m); the draining goes on' }),
    detach: Flags.boolean({ char: 'd', description: 'do not wait' }),
  };
  static override examples = [
    '<%= config.bin %> nodes drain worker-1 --reason "new disk"',
    '<%= config.bin %> nodes drain worker-1 --timeout 5m',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesDrain);
    const api = await this.connect(flags);
    const request = { ...(flags.reason !== undefined && { reason: flags.reason }), actor: actorName() };
    const { node } = await api.drain(args.node, request, this.signal);
    this.goesOn = `no longer waiting; ${args.node} is still drained: oakctl nodes uncordon ${args.node} ends it`;
    const progress = createProgress(process.stderr);
    const wait = {
      timeout: flags.detach ? 0 : (flags.timeout ?? defaultTimeout),
      interval: 100,
      progress: flags.detach
        ? () => {}
        : (drained: Parameters<typeof drainLines>[0]) => progress.show(drainLines(drained, this.paint('err'))),
    };
    const drained = await waitUntilDrained(api, node, wait, this.signal);
    progress.end();
    await this.printOne(flags.output, drained, { name: node, text: (value) => renderDrained(value, this.paint()) });
    if (!flags.detach) this.exit(exitCodeOfDrain(drained));
  }
}
