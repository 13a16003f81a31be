/** Certificates of a cluster, for people. */
import type { TlsAnswer } from '../../schemas/joining.ts';
import { properties } from './details.ts';
import type { Paint } from './paint.ts';

/** `now`: ms since 1970, as the dates. */
export function renderAuthority({ mode, authority, server }: TlsAnswer, now: number, paint: Paint): string {
  const made = mode === 'auto' ? 'made and renewed by the reconciler' : 'read from files';
  const rows = properties(
    [
      ['certificates', made],
      ['authority', authority ? `SHA-256 of its key ${paint.strong(authority.fingerprint)}` : 'public'],
      ['', authority && `until ${day(authority.expires)}`],
      ['server', server.names.join(', ')],
      ['', `until ${day(server.expires)}${left(server.expires - now, paint)}`],
    ],
    paint,
  );
  return authority ? `${rows}\n\n${authority.certificate.trimEnd()}` : rows;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}

function left(ms: number, paint: Paint): string {
  if (ms <= 0) return `, ${paint.bad('expired')}`;
  const hours = Math.floor(ms / 3_600_000);
  return `, ${hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`} left`;
}
