import { RotateCommand } from '../../../rotate-command.ts';

export default class KeysRotateCa extends RotateCommand {
  static override description =
    'give the cluster a new root for TLS: API and broker show certificates of it from the next connection on. No connection is cut, and what trusts the old root finds the new one';
  static override flags = { ...RotateCommand.rotateFlags };
  static override examples = [
    '<%= config.bin %> keys rotate ca',
    '<%= config.bin %> keys rotate ca --overlap 30d',
    '<%= config.bin %> keys rotate ca --now --yes',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(KeysRotateCa);
    await this.rotate(flags, 'ca');
  }
}
