import { Args, Flags } from '@oclif/core';
import { readerFlags, SecretCommand, writeFlags } from '../../secret-command.ts';

export default class SecretSet extends SecretCommand {
  static override description =
    'give a secret a value, encrypted for the nodes and for you; from standard input, a file, or a question, and never as an argument';
  static override args = {
    name: Args.string({ required: true, description: 'name of a secret: secrets/<name>.yaml' }),
  };
  static override flags = {
    key: Flags.string({ description: 'which value, of a secret that has several' }),
    file: Flags.string({ description: 'file that is the value, to the last byte' }),
    ...readerFlags,
    ...writeFlags,
  };
  static override examples = [
    '<%= config.bin %> secret set db-password --commit',
    '<%= config.bin %> secret set tls --key private --file private.pem --label zone=hall-2',
    '<%= config.bin %> secret set db-password < password.txt',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SecretSet);
    const [{ readValue }, { setSecret }] = await Promise.all([
      import('../../services/secret-value.ts'),
      import('../../services/set-secret.ts'),
    ]);
    const api = await this.connect(flags);
    const task = await this.task(api, flags);
    const value = await readValue(flags.file, this.signal);
    const note = await setSecret(api, { name: args.name, key: flags.key, value }, task, this.signal);
    await this.conclude(flags.output, note);
  }
}
