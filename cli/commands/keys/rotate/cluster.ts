import { RotateCommand } from '../../../rotate-command.ts';

export default class KeysRotateCluster extends RotateCommand {
  static override description =
    'give the cluster a new signing key: announced under the old one, in use once all nodes in reach have it. Nothing restarts; nodes that are away learn it when they return';
  static override flags = { ...RotateCommand.rotateFlags };
  static override examples = [
    '<%= config.bin %> keys rotate cluster',
    '<%= config.bin %> keys rotate cluster --overlap 24h',
    '<%= config.bin %> keys rotate cluster --now --yes',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(KeysRotateCluster);
    await this.rotate(flags, 'cluster');
  }
}
