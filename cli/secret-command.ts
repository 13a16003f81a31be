/** What the commands share that write secrets: who may read them, and where they go. */
import { Flags } from '@oclif/core';
import { recipientPattern } from '../schemas/age.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { BaseCommand, usage } from './base-command.ts';
import { confirm } from './confirm.ts';
import { askerOf } from './flags.ts';
import type { OutputFormat } from './render/output.ts';
import { lackText, secretText, writtenText } from './render/secrets.ts';
import { labelFlag } from './services/node-flags.ts';
import type { SecretApi, SecretNote, SecretTask } from './services/write-secrets.ts';

const recipientFlag = (description: string) =>
  Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    description,
    parse: async (text) => {
      if (recipientPattern.test(text)) return text;
      throw new ProblemError(problem('USAGE', `\`${text}\` is no recipient of age`, { hint: 'age1..., 62 letters' }));
    },
  });

/** Where the repository is. */
export const shelfFlags = {
  repo: Flags.string({ description: 'working copy of the repository (default: the one around here)' }),
  source: Flags.string({ description: 'which git source of the cluster, where it has several' }),
};

export const readerFlags = {
  nodes: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    exclusive: ['all-nodes'],
    description: 'only these nodes may read it, from now on; names with commas between',
  }),
  label: labelFlag('only nodes with this label may, beside those of --nodes; key=value, may be repeated: all of them'),
  'all-nodes': Flags.boolean({ exclusive: ['label'], description: 'all nodes may read it again' }),
  recipient: recipientFlag('somebody who is no node may read it, too, e.g. another operator; may be repeated'),
  remove: recipientFlag('take such a recipient away again; may be repeated'),
};

export const writeFlags = {
  ...shelfFlags,
  commit: Flags.boolean({ description: 'commit and push it (default: only change the file in the working copy)' }),
  author: Flags.string({
    dependsOn: ['commit'],
    helpValue: '"Name <mail>"',
    description: 'who commits (default: as git is configured)',
  }),
  reason: Flags.string({ dependsOn: ['commit'], description: 'why, for the message of the commit' }),
  yes: Flags.boolean({ char: 'y', description: 'do not ask before somebody is to read it no more' }),
};

/** What these flags hold. */
interface SecretFlags {
  readonly repo?: string | undefined;
  readonly source?: string | undefined;
  readonly author?: string | undefined;
  readonly reason?: string | undefined;
  readonly commit: boolean;
  readonly yes: boolean;
  readonly nodes?: readonly string[] | undefined;
  readonly label?: readonly string[] | undefined;
  readonly 'all-nodes'?: boolean;
  readonly recipient?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
}

export abstract class SecretCommand extends BaseCommand {
  /** Says who it is that reads and writes: an identity that is new is worth a copy. */
  protected async task(api: SecretApi, flags: SecretFlags): Promise<SecretTask> {
    const { ownIdentity } = await import('./services/own-identity.ts');
    const named = flags.nodes && (await api.nodes(flags.nodes, this.signal)).map(({ name }) => name);
    const own = await ownIdentity(process.env, this.home);
    if (own.isNew) this.say(`Made your age identity, ${own.file}: keep a copy. You are ${own.recipient}`);
    if (flags.remove?.includes(own.recipient)) usage('you cannot take yourself away', 'another operator can');
    return {
      asker: askerOf(flags),
      commit: flags.commit,
      own,
      wish: {
        nodes: named,
        labels: flags.label,
        everyone: flags['all-nodes'] || undefined,
        add: flags.recipient,
        remove: flags.remove,
      },
      say: (text) => this.say(text),
      confirm: (question) => confirm(question, flags.yes, this.signal),
      now: () => new Date(),
    };
  }

  protected async conclude(format: OutputFormat, note: SecretNote): Promise<void> {
    await this.printOne(format, note, { name: note.name, text: secretText });
    this.sayRest([note]);
  }

  /** Where they are now, and for whom nothing could be done. */
  protected sayRest(notes: readonly SecretNote[]): void {
    for (const text of [...notes.map(lackText), writtenText(notes)]) if (text !== undefined) this.say(text);
  }
}
