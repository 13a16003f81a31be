import { describe, expect, it } from 'vitest';
import { hearSession, type Sessions } from '../../../../reconciler/core/sessions.ts';
import type { Mono } from '../../../../schemas/ports.ts';

/** Which of these messages, `[session, seconds]`, say that two agents take turns. */
function contested(...messages: (readonly [session: string, seconds: number])[]): boolean[] {
  let sessions: Sessions | undefined;
  return messages.map(([session, seconds]) => {
    const heard = hearSession(sessions, session, (seconds * 1_000) as Mono);
    sessions = heard.sessions;
    return heard.contested;
  });
}

describe('sessions of a node', () => {
  it('are one after the other for an agent that restarts, however often', () => {
    const restarts = Array.from({ length: 30 }, (_, index) => [`s${index}`, index] as const);
    expect(contested(...restarts)).not.toContain(true);
    expect(contested(['a', 0], ['a', 5], ['a', 10])).not.toContain(true);
  });

  it('return when two agents take turns', () => {
    expect(contested(['a', 0], ['b', 1], ['a', 2], ['b', 3], ['a', 4])).toEqual([false, false, false, true, true]);
  });

  it('may return once, as a message that was overtaken, and then much later', () => {
    expect(contested(['a', 0], ['b', 1], ['a', 2], ['b', 90])).not.toContain(true);
  });

  it('are forgotten when they were silent for long', () => {
    expect(contested(['a', 0], ['b', 1], ['a', 400], ['b', 801], ['a', 1202])).not.toContain(true);
  });
});
