import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Args, Flags } from '@oclif/core';
import type { LoginAnswer } from '../../../schemas/api.ts';
import { changeLogin, registriesFile } from '../../../schemas/io/registries-file.ts';
import { BaseCommand, usage } from '../../base-command.ts';
import { loginAnswer } from '../../render/registries.ts';
import { actorName } from '../../services/actor.ts';

export default class RegistriesLogin extends BaseCommand {
  static override description =
    'keep a login of a registry for all nodes, in registries.yaml on the reconciler; the registry is asked whether it is good';
  static override args = { registry: Args.string({ required: true, description: 'host, or host:port' }) };
  static override flags = {
    username: Flags.string({ required: true, description: 'who logs in' }),
    'password-stdin': Flags.boolean({ description: 'read the password, or access token, from standard input' }),
    folder: Flags.string({
      description: 'folder of an agent (or a reconciler) on this machine: write its registries.yaml, and ask nobody',
    }),
  };
  static override examples = [
    '<%= config.bin %> registries login registry.example.org --username fleet --password-stdin < password.txt',
    '<%= config.bin %> registries login registry.example.org --username fleet --password-stdin --folder /var/lib/oakctl/agent < password.txt',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RegistriesLogin);
    if (!flags['password-stdin'])
      usage('a password on the command line would be seen by others', 'pipe it in, with `--password-stdin`');
    const password = (await text(process.stdin)).replace(/\r?\n$/, '');
    if (password === '') usage('standard input holds no password', '`--password-stdin < password.txt`');
    const login = { username: flags.username, password };
    const answer: LoginAnswer = flags.folder
      ? {
          registry: args.registry,
          changed: await changeLogin(join(flags.folder, registriesFile), args.registry, login),
        }
      : await (await this.connect(flags)).login(args.registry, { ...login, actor: actorName() }, this.signal);
    await this.printOne(flags.output, answer, loginAnswer(answer, `${flags.username} logs in there`));
    if (answer.unchecked !== undefined) this.say(`Kept unchecked: ${answer.unchecked}`);
  }
}
