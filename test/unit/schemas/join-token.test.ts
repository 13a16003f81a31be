import { describe, expect, it } from 'vitest';
import { formatJoinToken, parseJoinToken } from '../../../schemas/join-token.ts';

const token = { id: '0123456789ab', secret: 'A'.repeat(43), pin: 'f'.repeat(32) };

describe('join tokens', () => {
  it('survive being copied with white space around them', () => {
    expect(parseJoinToken(` ${formatJoinToken(token)}\n`)).toEqual(token);
  });

  it('carry the pin of the authority beside that of the cluster', () => {
    const withAuthority = { ...token, authority: 'a'.repeat(32) };
    expect(formatJoinToken(withAuthority)).toBe(`${formatJoinToken(token)}-${'a'.repeat(32)}`);
    expect(parseJoinToken(formatJoinToken(withAuthority))).toEqual(withAuthority);
  });

  it.each([
    '',
    'oak1',
    'oak2.0123456789ab.x.y',
    formatJoinToken({ ...token, pin: 'f' }),
    `${formatJoinToken(token)}.x`,
    `${formatJoinToken(token)}-`,
    formatJoinToken({ ...token, authority: 'a'.repeat(31) }),
  ])('are refused when malformed, without repeating them (%#)', (text) => {
    expect(() => parseJoinToken(text)).toThrow(/TOKEN_INVALID/);
    try {
      parseJoinToken(text);
    } catch (error) {
      expect(String(error)).not.toContain(token.secret);
    }
  });
});
