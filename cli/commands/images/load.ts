import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { exitCodes } from '../../exit-codes.ts';
import { createProgress } from '../../progress.ts';
import { loadLines, loadListing } from '../../render/images.ts';
import { actorName } from '../../services/actor.ts';
import { chooseNodes } from '../../services/choose-nodes.ts';
import { readImageArchive } from '../../services/image-archive.ts';
import { type LoadProgress, loadOnNodes } from '../../services/load-images.ts';
import { labelFlag } from '../../services/node-flags.ts';

export default class ImagesLoad extends BaseCommand {
  static override description =
    'give the engines of nodes the images of an archive (`docker save`), without a registry; 1 if a node did not take them';
  static override args = { tar: Args.string({ required: true, description: 'the archive, plain or packed by gzip' }) };
  static override flags = {
    node: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      exclusive: ['label'],
      description: 'name, id or alias of a node; may be repeated',
    }),
    label: labelFlag('nodes with this label, as key=value; may be repeated: all of them (default: every node)'),
  };
  static override examples = [
    '<%= config.bin %> images load shop.tar --node edge-7',
    '<%= config.bin %> images load shop.tar.gz --label zone=hall-2 -o json',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImagesLoad);
    const archive = await readImageArchive(args.tar, this.signal);
    const api = await this.connect(flags);
    const { node: names = [], label: labels = [] } = flags;
    const nodes = await chooseNodes(api, { names, labels }, this.signal);
    const progress = createProgress(process.stderr);
    const now = new Map<string, LoadProgress>();
    const moved = (one: LoadProgress): void => {
      now.set(one.node, one);
      progress.show(loadLines([...now.values()], archive.bytes, process.stderr.isTTY ? 1 : 10));
    };
    const results = await loadOnNodes(api, archive, { nodes, actor: actorName(), moved }, this.signal);
    progress.end();
    await this.printList(flags.output, results, loadListing);
    if (results.some(({ state }) => state === 'failed')) this.exit(exitCodes.failed);
  }
}
