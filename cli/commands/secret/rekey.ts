import { Args } from '@oclif/core';
import { exitCodeOf } from '../../exit-codes.ts';
import { renderProblems } from '../../render/problems.ts';
import { rekeyListing } from '../../render/secrets.ts';
import { readerFlags, SecretCommand, writeFlags } from '../../secret-command.ts';

export default class SecretRekey extends SecretCommand {
  static override description =
    'encrypt secrets for who is to read them now: for nodes that are new, and for those that are gone no more; values, versions and what runs stay';
  static override strict = false;
  static override usage = 'secret rekey [NAME...] [--commit]';
  static override args = { names: Args.string({ description: 'names of secrets; default all' }) };
  static override flags = { ...readerFlags, ...writeFlags };
  static override examples = [
    '<%= config.bin %> secret rekey --commit',
    '<%= config.bin %> secret rekey db-password --nodes worker-1,worker-2',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(SecretRekey);
    const { rekeySecrets } = await import('../../services/set-secret.ts');
    const api = await this.connect(flags);
    const task = await this.task(api, flags);
    const { notes, problems } = await rekeySecrets(api, argv as string[], task, this.signal);
    await this.printList(flags.output, notes, rekeyListing);
    this.sayRest(notes);
    if (problems.length === 0) return;
    this.say(renderProblems(problems, this.paint('err')));
    this.exit(exitCodeOf(problems));
  }
}
