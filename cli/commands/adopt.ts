import { Args, Flags } from '@oclif/core';
import { askerOf } from '../flags.ts';
import { endingText, renumberedText } from '../render/verbs.ts';
import { VerbCommand, type VerbResult, waitFlags } from '../verb-command.ts';

export default class Adopt extends VerbCommand {
  static override summary = 'write what a service deviates by into its file in the repository, commit and push it';
  static override description =
    `What people asked for beside git becomes what git says: of a scale the number of instances, of a stop \`replicas: 0\`, of a moved instance the node in
the \`direct\` constraint that names it. One line changes, and all comments stay. The overrides of the service end once the cluster has accepted the commit.
Of what was deployed directly the repository says after it what it is now, in a file of its own if none says it; \`oakctl approve\` hands it over.`;
  static override args = {
    target: Args.string({ required: true, description: 'name of a service, id of an override, or a moved instance' }),
  };
  static override flags = {
    repo: Flags.string({ description: 'working copy (default: the one around here, else a temporary clone)' }),
    source: Flags.string({ description: 'for what was deployed directly: which git source, where there are several' }),
    author: Flags.string({ helpValue: '"Name <mail>"', description: 'who commits (default: as git is configured)' }),
    reason: Flags.string({ description: 'why, for the message of the commit (default: what the override says)' }),
    ...waitFlags,
  };
  static override examples = [
    '<%= config.bin %> adopt shop.default.web.default',
    '<%= config.bin %> adopt 1a2b3c4d --reason "it is always full"',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Adopt);
    const api = await this.connect(flags);
    const { adopt } = await import('../services/adopt.ts');
    const { answer, adopted, ending, renumbered } = await adopt(api, args.target, askerOf(flags), this.signal);
    if (!answer.commit) {
      this.say(`${args.target}: nothing to adopt, it is as its source says`);
      const nothing: VerbResult = { ...answer, outcomes: [] };
      return this.printOne(flags.output, nothing, { name: answer.service, text: () => '' });
    }
    for (const override of ending) this.say(endingText(override));
    for (const line of renumberedText(renumbered)) this.say(line);
    const what = adopted.length === 0 ? ['as it was deployed directly'] : adopted.map(({ change }) => change);
    const text = `adopted: ${what.join(', ')}`;
    await this.conclude(api, answer, { ...flags, text });
  }
}
