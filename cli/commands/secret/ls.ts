import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { askerOf } from '../../flags.ts';
import { secretListing } from '../../render/secrets.ts';
import { shelfFlags } from '../../secret-command.ts';

export default class SecretLs extends BaseCommand {
  static override description =
    'list the secrets of the repository: versions, which nodes can read them, and which cannot yet; nothing is decrypted';
  static override aliases = ['secret list'];
  static override strict = false;
  static override usage = 'secret ls [NAME...]';
  static override args = { names: Args.string({ description: 'names of secrets; default all' }) };
  static override flags = shelfFlags;
  static override examples = ['<%= config.bin %> secret ls', '<%= config.bin %> secret ls db-password -o json'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(SecretLs);
    const { listSecrets } = await import('../../services/list-secrets.ts');
    const api = await this.connect(flags);
    const rows = await listSecrets(api, argv as string[], askerOf(flags), this.signal);
    await this.printList(flags.output, rows, secretListing);
  }
}
