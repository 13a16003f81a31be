/** Join tokens, as a table. */
import type { TokenView } from '../../schemas/views.ts';
import type { Listing } from './output.ts';
import { paintState } from './paint.ts';

/** `2026-11-21T12:30:05Z`. */
export function timeText(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

export const tokenListing: Listing<TokenView> = {
  nameOf: (token) => token.id,
  empty: 'No join tokens. `oakctl nodes token create` makes one.',
  columns: (paint) => [
    { title: 'ID', value: (token) => token.id },
    { title: 'STATE', value: (token) => token.state, paint: (text) => paintState(paint, text) },
    { title: 'NODE', value: (token) => (token.replaces ? `${token.name}, in its place` : (token.name ?? 'any')) },
    { title: 'USES LEFT', value: (token) => token.uses, right: true },
    { title: 'EXPIRES', value: (token) => timeText(token.expires) },
    { title: 'CREATED', value: (token) => timeText(token.created), wide: true },
    { title: 'BY', value: (token) => token.by },
  ],
};
