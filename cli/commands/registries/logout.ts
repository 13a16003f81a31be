import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { changeLogin, registriesFile } from '../../../schemas/io/registries-file.ts';
import { BaseCommand } from '../../base-command.ts';
import { loginAnswer } from '../../render/registries.ts';
import { actorName } from '../../services/actor.ts';

export default class RegistriesLogout extends BaseCommand {
  static override description = 'forget the login of a registry; what runs goes on';
  static override args = { registry: Args.string({ required: true, description: 'host, or host:port' }) };
  static override flags = {
    folder: Flags.string({ description: 'folder of an agent on this machine, as for `login`' }),
  };
  static override examples = ['<%= config.bin %> registries logout registry.example.org'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RegistriesLogout);
    const answer = flags.folder
      ? {
          registry: args.registry,
          changed: await changeLogin(join(flags.folder, registriesFile), args.registry, undefined),
        }
      : await (await this.connect(flags)).logout(args.registry, actorName(), this.signal);
    await this.printOne(flags.output, answer, loginAnswer(answer, 'nobody logs in there any more'));
  }
}
