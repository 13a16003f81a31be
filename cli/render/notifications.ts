/** Receivers of notifications, as a table. */
import { formatDuration } from '../../schemas/duration.ts';
import type { ReceiverView } from '../../schemas/notifications.ts';
import type { Listing } from './output.ts';

export const receiverListing: Listing<ReceiverView> = {
  nameOf: ({ name }) => name,
  empty:
    'Nobody is notified. `notifications: [{name: ops, ntfy: https://<server>/<topic>}]` in cluster.yaml says who is.',
  columns: () => [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'KIND', value: ({ kind }) => kind },
    { title: 'HOST', value: ({ host }) => host },
    { title: 'AFTER', value: ({ after }) => formatDuration(after) },
    { title: 'REMIND', value: ({ remind }) => (remind === 0 ? 'never' : formatDuration(remind)) },
    {
      title: 'TOLD',
      value: ({ delivered }) => (delivered === undefined ? undefined : new Date(delivered).toISOString()),
    },
    { title: 'PROBLEM', value: ({ problem }) => problem },
  ],
};
