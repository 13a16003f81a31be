import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../../base-command.ts';
import { addContext, useContext } from '../../services/contexts.ts';

export default class ContextsAdd extends BaseCommand {
  static override description =
    'name a cluster elsewhere: its API by --api, a file with its token by --token-file, its root by --ca-file';
  static override args = { name: Args.string({ required: true, description: 'how you call it' }) };
  static override flags = {
    replace: Flags.boolean({ description: 'change the context of this name' }),
    use: Flags.boolean({ description: 'make it the current one' }),
  };
  static override examples = [
    '<%= config.bin %> contexts add factory --api https://10.0.0.5:10100 --token-file factory.token --ca-file factory.pem --use',
    '<%= config.bin %> contexts add factory --api http://127.0.0.1:10200 --replace',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextsAdd);
    if (flags.api === undefined) usage('a context needs the address of an API', 'give it by `--api http://host:port`');
    const { 'token-file': tokenFile, 'ca-file': caFile } = flags;
    const given = { api: flags.api, ...(tokenFile && { tokenFile }), ...(caFile && { caFile }) };
    const context = await addContext(this.home, args.name, given, flags.replace);
    if (flags.use) await useContext(this.home, args.name);
    const answer = { name: args.name, ...context };
    await this.printOne(flags.output, answer, { name: args.name, text: () => `${args.name} is ${context.api}` });
    this.say(`Next: oakctl status --context ${args.name}`);
  }
}
