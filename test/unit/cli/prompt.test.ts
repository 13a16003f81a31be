import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ask } from '../../../cli/prompt.ts';

function terminal(isTTY = true) {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const stderr = new PassThrough();
  let shown = '';
  stderr.on('data', (data: Buffer) => {
    shown += data.toString();
  });
  return { terminal: { stdin, stderr }, type: (keys: string) => void stdin.write(keys), shown: () => shown };
}

const never = new AbortController().signal;

describe('a question', () => {
  it('shows nothing of a password', async () => {
    const { terminal: at, type, shown } = terminal();
    const answer = ask('Password: ', { hidden: true }, never, at);
    await turn();
    type('hunter2 of ann\n');
    expect(await answer).toBe('hunter2 of ann');
    expect(shown()).toBe('Password: \n');
  });

  it('shows what else is typed', async () => {
    const { terminal: at, type, shown } = terminal();
    const answer = ask('User: ', {}, never, at);
    await turn();
    type('ann\n');
    expect(await answer).toBe('ann');
    expect(shown()).toContain('User: ');
    expect(shown()).toContain('ann');
  });

  it('may have no answer', async () => {
    const { terminal: at, type } = terminal();
    const answer = ask('Password: ', { hidden: true }, never, at).catch((error: unknown) => error);
    await turn();
    type('\u0004');
    expect(await answer).toMatchObject({ problem: { code: 'REFUSED' } });
  });

  it('ends with the command', async () => {
    const { terminal: at } = terminal();
    const abort = new AbortController();
    const answer = ask('Password: ', { hidden: true }, abort.signal, at).catch((error: Error) => error.name);
    await turn();
    abort.abort();
    expect(await answer).toBe('AbortError');
  });

  it('needs somebody to ask', async () => {
    const { terminal: at } = terminal(false);
    await expect(ask('User: ', {}, never, at)).rejects.toThrow(/USAGE.*no terminal to ask on: User\?/);
  });
});
