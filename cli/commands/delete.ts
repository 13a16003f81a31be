import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { actorName } from '../services/actor.ts';
import { deleteByName, waitUntilGone } from '../services/delete.ts';

export default class Delete extends BaseCommand {
  static override description =
    'delete what was deployed directly: a service (app.ns.service.ns) or an application (app.ns)';
  static override strict = false;
  static override args = { name: Args.string({ required: true, description: 'service or application' }) };
  static override flags = { detach: Flags.boolean({ char: 'd', description: 'do not wait until it is gone' }) };
  static override usage = 'delete NAME... [--detach]';
  static override examples = [
    '<%= config.bin %> delete shop.default',
    '<%= config.bin %> delete shop.default.web.default',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Delete);
    const api = await this.connect(flags);
    const { services } = await deleteByName(api, argv as string[], actorName(), this.signal);
    if (!flags.detach) await waitUntilGone(api, services, (text) => this.say(text), this.signal);
    await this.printOne(
      flags.output,
      { services },
      {
        name: services.join('\n'),
        text: () => services.map((name) => `${name} is deleted`).join('\n'),
      },
    );
  }
}
