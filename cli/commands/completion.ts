import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { scripts, shells } from '../completion/scripts.ts';

export default class Completion extends BaseCommand {
  static override description =
    'print a script that completes commands, flags and live names; bash: in ~/.bashrc, zsh: in ~/.zshrc, fish: in ~/.config/fish/config.fish';
  static override args = {
    shell: Args.string({ required: true, options: [...shells], description: 'which shell' }),
  };
  static override examples = [
    { description: 'bash, for this session', command: 'source <(<%= config.bin %> completion bash)' },
    { description: 'zsh, for good', command: "echo 'source <(<%= config.bin %> completion zsh)' >> ~/.zshrc" },
    { description: 'fish, for this session', command: '<%= config.bin %> completion fish | source' },
  ];

  async run(): Promise<void> {
    const { args } = await this.parse(Completion);
    const shell = shells.find((one) => one === args.shell);
    if (shell) process.stdout.write(scripts[shell]);
  }
}
