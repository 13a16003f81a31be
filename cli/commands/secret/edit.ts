import { Args } from '@oclif/core';
import { SecretCommand, writeFlags } from '../../secret-command.ts';

export default class SecretEdit extends SecretCommand {
  static override description =
    'change the value of a secret, or its values as a YAML map, in $VISUAL, $EDITOR or vi; it is in memory meanwhile, and on no disk';
  static override args = { name: Args.string({ required: true, description: 'name of a secret' }) };
  static override flags = writeFlags;
  static override examples = [
    '<%= config.bin %> secret edit db-users',
    '<%= config.bin %> secret edit db-users --commit',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SecretEdit);
    const [{ createEditor }, { changeSecret }] = await Promise.all([
      import('../../services/secret-editor.ts'),
      import('../../services/set-secret.ts'),
    ]);
    const api = await this.connect(flags);
    const task = await this.task(api, flags);
    const editor = createEditor({ env: process.env }, this.signal);
    await this.conclude(flags.output, await changeSecret(api, args.name, editor, task, this.signal));
  }
}
