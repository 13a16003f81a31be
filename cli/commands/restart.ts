import { Args, Flags } from '@oclif/core';
import { parseInstanceName } from '../../schemas/names.ts';
import { isProblemError } from '../../schemas/problem.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, waitFlags } from '../verb-command.ts';

export default class Restart extends VerbCommand {
  static override description =
    'replace the copies of a service, or of one instance, by new ones of the same version, as an update would; waits like `deploy`';
  static override args = {
    name: Args.string({ required: true, description: 'service, or instance as web.0 or by its full name' }),
  };
  static override flags = {
    ...waitFlags,
    pull: Flags.boolean({
      description: 'ask the registry anew what the tag of the image stands for; refused when it does not answer',
    }),
  };
  static override examples = [
    '<%= config.bin %> restart shop.default.web.default',
    '<%= config.bin %> restart web.0 --timeout 2m',
    '<%= config.bin %> restart web --pull',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Restart);
    const api = await this.connect(flags);
    const request = { actor: actorName(), ...(flags.pull && { pull: true }) };
    const instance = { instance: args.name };
    const answer = parseInstanceName(args.name)
      ? await api.restart(instance, request, this.signal)
      : await api.restart({ service: args.name }, request, this.signal).catch((error: unknown) => {
          // `web.0`: no service is called that, but an instance may be.
          if (!isProblemError(error) || error.problem.code !== 'NOT_FOUND' || !/\.\d+$/.test(args.name)) throw error;
          return api.restart(instance, request, this.signal);
        });
    const text = flags.pull ? 'restarting with what the tag stands for now' : 'restarting';
    await this.conclude(api, answer, { ...flags, text });
  }
}
