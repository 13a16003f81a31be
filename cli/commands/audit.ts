import { Flags } from '@oclif/core';
import { auditOutcomes, mostAuditEntries } from '../../schemas/audit.ts';
import { BaseCommand } from '../base-command.ts';
import { auditListing } from '../render/accounts.ts';

export default class Audit extends BaseCommand {
  static override description =
    'print who did what, when, and what came of it, oldest first: changes, logins, and what was refused';
  static override flags = {
    user: Flags.string({ description: 'only of this account' }),
    outcome: Flags.option({ options: auditOutcomes, description: 'only what came to this' })(),
    last: Flags.integer({ min: 1, max: mostAuditEntries, default: 100, description: 'how many, the newest' }),
  };
  static override examples = [
    '<%= config.bin %> audit',
    '<%= config.bin %> audit --user ann --last 20',
    '<%= config.bin %> audit --outcome refused -o wide',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Audit);
    const { api } = await this.accounts(flags);
    const query = { last: flags.last, who: flags.user, outcome: flags.outcome };
    await this.printList(flags.output, await api.audit(query, this.signal), auditListing);
  }
}
