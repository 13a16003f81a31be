import { Flags } from '@oclif/core';
import { ListCommand } from '../list-command.ts';
import { driftListing, driftRows } from '../render/drift.ts';

export default class Drift extends ListCommand {
  static override summary = 'list what people did to instances by hand on nodes';
  static override description =
    `Containers that were stopped, removed, paused or updated past oakctl: what is open, and with --all also what is as wanted again (the last of
each copy, as long as its agent runs). It is healed at once, unless policy.yaml of the node says \`drift: keep\`.`;
  static override strict = false;
  static override usage = 'drift [NAME...] [--all] [--watch]';
  static override flags = { all: Flags.boolean({ char: 'a', description: 'with what is healed' }) };
  static override examples = [
    '<%= config.bin %> drift',
    '<%= config.bin %> drift shop.default.web.default --all',
    '<%= config.bin %> drift --all -w',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Drift);
    const api = await this.connect(flags);
    const list = async (signal: AbortSignal) => driftRows(await api.instances(argv as string[], signal), flags.all);
    await this.showList(flags, api, list, driftListing);
  }
}
