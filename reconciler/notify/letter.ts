/** What receivers get: notices as JSON for webhooks, as text for ntfy. Pure. */
import type { Notice } from '../core/alerts.ts';

export interface Letter {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Of whom the notices tell. */
export interface Sender {
  readonly cluster: string;
  /** ms since 1970. */
  readonly at: number;
}

/** ntfy takes 4,096 bytes as a message. */
const mostBytes = 4_000;

/** `{cluster, at, notices: [{kind, subject, code, message, hint?, since}]}`, times in ISO 8601. */
export function webhookLetter(notices: readonly Notice[], { cluster, at }: Sender): Letter {
  const told = notices.map(({ key: _key, since, ...notice }) => ({ ...notice, since: new Date(since).toISOString() }));
  const body = JSON.stringify({ cluster, at: new Date(at).toISOString(), notices: told });
  return { headers: { 'content-type': 'application/json' }, body };
}

/** A title that counts, a line per notice. Headers as in ntfy's documentation, "Publishing". */
export function ntfyLetter(notices: readonly Notice[], { cluster }: Sender): Letter {
  const wrong = notices.filter(({ kind }) => kind !== 'recovered').length;
  const parts = [
    wrong > 0 ? `${wrong} wrong` : '',
    notices.length > wrong ? `${notices.length - wrong} well again` : '',
  ];
  const headers = {
    title: `${cluster}: ${parts.filter(Boolean).join(', ') || 'a test'}`,
    priority: wrong > 0 ? 'high' : 'default',
    tags: wrong > 0 ? 'warning' : 'white_check_mark',
  };
  const lines = notices.map(lineOf);
  let shown = lines.length;
  const text = () => [...lines.slice(0, shown), ...(shown < lines.length ? [`and ${lines.length - shown} more`] : [])];
  while (shown > 0 && Buffer.byteLength(text().join('\n')) > mostBytes) shown -= 1;
  return { headers, body: text().join('\n') || 'oakctl can send notifications here' };
}

function lineOf({ kind, subject, code, message }: Notice): string {
  if (kind === 'recovered') return `${subject}: well again (${code})`;
  return `${subject}: ${code}${kind === 'reminder' ? ' (still)' : ''}: ${message}`;
}
