import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { renderEvent } from '../render/events.ts';
import { renderData } from '../render/output.ts';
import { followEvents } from '../services/follow-events.ts';

export default class Events extends BaseCommand {
  static override description = 'print what happened in the cluster, oldest first';
  static override flags = {
    watch: Flags.boolean({ char: 'w', aliases: ['follow'], description: 'go on with what comes' }),
    after: Flags.integer({ min: 0, default: 0, description: 'only events after this number' }),
  };
  static override examples = ['<%= config.bin %> events -w', '<%= config.bin %> events -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Events);
    const api = await this.connect(flags);
    const events = flags.watch
      ? followEvents(api, flags.after, (text) => this.say(text), this.signal)
      : api.events({ after: flags.after }, this.signal);
    if (flags.output === 'yaml' || (flags.output === 'json' && !flags.watch)) {
      const items = [];
      for await (const event of events) items.push(event);
      this.signal.throwIfAborted();
      this.print(await renderData(flags.output, { items }));
      return;
    }
    // A stream has no end to close a list with: one JSON object per line.
    for await (const event of events) {
      if (flags.output === 'json') this.print(JSON.stringify(event));
      else this.print(flags.output === 'name' ? String(event.seq) : renderEvent(event, this.paint()));
    }
    this.signal.throwIfAborted();
  }
}
