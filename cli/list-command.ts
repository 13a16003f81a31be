/** Base of the commands that list objects of the cluster: once, or with `--watch` until Ctrl-C. */
import { Flags } from '@oclif/core';
import type { ApiClient } from '../schemas/io/api-client.ts';
import { BaseCommand, globalFlags } from './base-command.ts';
import type { Listing, OutputFormat } from './render/output.ts';

export abstract class ListCommand extends BaseCommand {
  static override baseFlags = {
    ...globalFlags,
    watch: Flags.boolean({ char: 'w', description: 'go on and show what changes, until Ctrl-C' }),
  };

  /** Prints what `list` answers; with `watch` again whenever something happened. */
  protected async showList<Row>(
    flags: { readonly output: OutputFormat; readonly watch: boolean },
    api: ApiClient,
    list: (signal: AbortSignal) => Promise<readonly Row[]>,
    listing: Listing<Row>,
  ): Promise<void> {
    if (!flags.watch) return this.printList(flags.output, await list(this.signal), listing);
    const [{ watchRows }, { createListView }] = await Promise.all([import('./watch.ts'), import('./list-view.ts')]);
    const view = createListView(flags.output, listing, this.paint(), process.stdout);
    const events = (signal: AbortSignal) => api.events({ follow: true }, signal);
    await watchRows({ list, events, show: view.show, say: (text) => this.say(text) }, this.signal);
    this.signal.throwIfAborted();
  }
}
