import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../base-command.ts';
import { actorName } from '../services/actor.ts';
import { runSession } from '../services/exec.ts';
import { ownTerminal, rawMode, terminalSize } from '../terminal.ts';

export default class Exec extends BaseCommand {
  static override description =
    'run a command inside an instance, in its container; the exit code is that of the command';
  static override strict = false;
  static override args = {
    instance: Args.string({ required: true, description: 'an instance, or the start of its name' }),
    command: Args.string({ required: true, description: 'the command and its arguments, after --' }),
  };
  static override flags = {
    stdin: Flags.boolean({ char: 'i', default: false, description: 'send it what is typed, or piped in' }),
    tty: Flags.boolean({ char: 't', default: false, description: 'give it a terminal' }),
  };
  static override usage = 'exec INSTANCE [-i] [-t] -- COMMAND...';
  static override examples = [
    '<%= config.bin %> exec shop.default.web.default.instance.0 -it -- sh',
    '<%= config.bin %> exec shop.default.web.default.instance.0 -- cat /etc/hosts',
    'cat dump.sql | <%= config.bin %> exec shop.default.db.default.instance.0 -i -- psql',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Exec);
    const [instance = '', ...command] = argv as string[];
    if (flags.tty && !(process.stdin.isTTY && process.stdout.isTTY)) {
      usage('there is no terminal here to give it', 'leave out `-t`');
    }
    const api = await this.connect(flags);
    const connection = await api.exec(instance, actorName(), this.signal);
    const size = flags.tty ? terminalSize() : undefined;
    const start = { command, tty: flags.tty, stdin: flags.stdin, ...(size && { size }) };
    const restore = flags.tty && flags.stdin ? rawMode() : () => {};
    try {
      const code = await runSession(connection, start, ownTerminal({ input: flags.stdin, tty: flags.tty }));
      restore();
      this.exit(code);
    } finally {
      restore();
    }
  }
}
