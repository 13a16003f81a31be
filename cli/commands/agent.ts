import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Flags } from '@oclif/core';
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { BaseCommand } from '../base-command.ts';
import { advertiseFlag, folderFlag } from '../flags.ts';

export default class Agent extends BaseCommand {
  static override summary = 'run an agent in the foreground; agent.yaml in its folder says how it joins';
  static override description =
    `Without \`--folder\` the folder is agent/ of OAKCTL_HOME, and where it has no agent.yaml the environment says how it joins:
OAKCTL_API (URL of the reconciler), NODE_IP, NODE_ADVERTISE, NODE_NAME, NODE_TOKEN_FILE (file with the join token), NODE_LOCATION, NODE_NETWORK.`;
  static override flags = {
    folder: folderFlag({ description: 'folder of the agent, with its agent.yaml' }),
    advertise: advertiseFlag({
      description: 'where others reach what is published here, instead of what agent.yaml says',
    }),
    check: Flags.boolean({ description: 'say whether an agent runs on that folder and answers, and end: 1 if not' }),
  };
  static override examples = [
    '<%= config.bin %> agent --folder /var/lib/oakctl',
    '<%= config.bin %> agent --folder /var/lib/oakctl --advertise 203.0.113.7',
    '<%= config.bin %> agent --folder /var/lib/oakctl --check',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Agent);
    const folder = flags.folder ?? join(this.home, 'agent');
    if (flags.check) return this.check(folder);
    if (flags.folder === undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
    keepHeapSmall();
    const { runAgent } = await import('../../agent/main.ts');
    const { advertise } = flags;
    const environment = flags.folder === undefined ? { environment: process.env } : {};
    await runAgent({ folder, ...environment, ...(advertise && { advertise }) }, this.signal);
  }

  /** UNAVAILABLE. Whoever holds the folder answers between two things that it does: one that hangs does not. */
  private async check(folder: string): Promise<void> {
    const { lockHolder } = await import('../../schemas/io/folder-lock.ts');
    const holder = await lockHolder(join(folder, 'state'));
    if (typeof holder === 'object') return this.say(`The agent answers: process ${holder.pid} since ${holder.since}.`);
    const why = holder === 'nobody' ? 'no agent runs on this folder' : 'the agent on this folder does not answer';
    throw new ProblemError(problem('UNAVAILABLE', why, { subject: folder }));
  }
}
