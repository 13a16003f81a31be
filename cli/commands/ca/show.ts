import { BaseCommand } from '../../base-command.ts';
import { renderAuthority } from '../../render/authority.ts';

export default class CaShow extends BaseCommand {
  static override description = 'show the certificate authority of the cluster, and what API and broker show now';
  static override examples = ['<%= config.bin %> ca show', '<%= config.bin %> ca show -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(CaShow);
    const tls = await (await this.connect(flags)).tls(this.signal);
    await this.printOne(flags.output, tls, {
      name: tls.authority?.fingerprint ?? 'public',
      text: (value) => renderAuthority(value, Date.now(), this.paint()),
    });
  }
}
