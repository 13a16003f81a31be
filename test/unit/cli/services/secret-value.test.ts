import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readValue } from '../../../../cli/services/secret-value.ts';

const never = new AbortController().signal;
const piped = (...chunks: (string | Buffer)[]) => ({
  stdin: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) as NodeJS.ReadableStream,
  stderr: new PassThrough(),
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-value-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the value of a secret', () => {
  it('is what is piped in; the end of a single line is none of it', async () => {
    expect(await readValue(undefined, never, piped('hun', 'ter2\n'))).toBe('hunter2');
    expect(await readValue(undefined, never, piped('hunter2'))).toBe('hunter2');
    expect(await readValue(undefined, never, piped('a\nb\n'))).toBe('a\nb\n');
  });

  it('is a file to the last byte', async () => {
    const file = join(folder, 'value');
    await writeFile(file, 'hunter2\n');
    expect(await readValue(file, never)).toBe('hunter2\n');
    await expect(readValue(join(folder, 'none'), never)).rejects.toThrow(/USAGE.*ENOENT/);
  });

  it.each([
    ['', /empty/],
    ['\n', /empty/],
    [Buffer.from([0xff]), /UTF-8/],
    ['x'.repeat(30_000), /30000 bytes/],
  ])('is refused when it can be none', async (text, message) => {
    const refused = await readValue(undefined, never, piped(text)).catch((error: Error) => error);
    expect(refused).toMatchObject({ problem: { code: 'USAGE' }, message: expect.stringMatching(message) });
  });

  it('is typed twice at a terminal, which shows nothing of it', async () => {
    const ask = async (lines: readonly string[]) => {
      const stdin = Object.assign(new PassThrough(), { isTTY: true as const });
      const stderr = new PassThrough();
      const left = [...lines];
      let shown = '';
      stderr.on('data', (text: Buffer) => {
        shown += text.toString();
        if (text.toString().endsWith(': ')) setImmediate(() => stdin.write(`${left.shift()}\r`));
      });
      const value = await readValue(undefined, never, { stdin, stderr }).catch((error: Error) => error);
      return { value, shown };
    };
    expect(await ask(['hunter2', 'hunter2'])).toEqual({ value: 'hunter2', shown: 'Value: \nAgain: \n' });
    const other = await ask(['hunter2', 'hunter3']);
    expect(other.value).toMatchObject({ message: expect.stringMatching(/USAGE.*not the same/) });
    expect(other.shown).not.toContain('hunter');
  });
});
