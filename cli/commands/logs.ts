import { once } from 'node:events';
import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../base-command.ts';
import { instancesToRead, type LogLine, type LogOptions, prefixesOf, sendLogs } from '../services/logs.ts';

export default class Logs extends BaseCommand {
  static override description =
    'print what instances wrote; of several, each line begins with its instance; -o json prints one object per line';
  static override strict = false;
  static override args = {
    name: Args.string({
      required: true,
      description: 'instances, or services for all of theirs; the start of a name will do',
    }),
  };
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what comes, through restarts and replacements' }),
    tail: Flags.integer({ min: 0, max: 100_000, description: 'only the last lines of each' }),
    prefix: Flags.boolean({
      allowNo: true,
      description: 'begin each line with its instance (default: if there are several)',
    }),
  };
  static override usage = 'logs NAME... [--follow] [--tail <lines>]';
  static override examples = [
    '<%= config.bin %> logs shop.default.web.default.instance.0 -f --tail 20',
    '<%= config.bin %> logs shop.default.web.default -f',
    '<%= config.bin %> logs shop --tail 100 -o json',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Logs);
    const { follow, tail, output } = flags;
    // Neither said nor denied: oclif's type does not know it.
    const prefix = flags.prefix as boolean | undefined;
    if (output === 'yaml' || output === 'name') usage(`logs have no form \`${output}\``, 'take `-o json`, or none');
    const api = await this.connect(flags);
    const instances = await instancesToRead(api, argv as string[], follow, this.signal);
    const prefixes = (prefix ?? instances.length > 1) ? prefixesOf(instances.map(({ name }) => name)) : undefined;
    const { dim } = this.paint();
    const format = (line: LogLine): string => {
      if (output === 'json') return JSON.stringify(line);
      const before = prefixes?.get(line.instance);
      return before === undefined ? line.text : `${dim(`${before} |`)} ${line.text}`;
    };
    const options: LogOptions = { follow, ...(tail === undefined ? {} : { tail }) };
    const sink = {
      line: (line: LogLine) => write(`${format(line)}\n`, this.signal),
      say: (text: string) => this.say(this.paint('err').dim(text)),
    };
    await sendLogs(api, instances, options, sink, this.signal);
    this.signal.throwIfAborted();
  }
}

/** Waits for a reader that is slower than the log. */
async function write(text: string, signal: AbortSignal): Promise<void> {
  if (process.stdout.write(text) || signal.aborted) return;
  await once(process.stdout, 'drain', { signal }).catch(() => {});
}
