import { expect, it } from 'vitest';
import { createLines } from '../../../../schemas/io/process-log.ts';

/** Takes what fits, as a disk does: the last piece of a line that is too long is cut, and then nothing is taken. */
function bounded() {
  const disk = { room: 0, text: '' };
  const write = (bytes: Uint8Array): number => {
    const taken = Math.min(disk.room, bytes.length);
    if (taken === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    disk.room -= taken;
    disk.text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  };
  return { disk, lines: createLines(write) };
}

it('a log that cannot be written ends nothing, and says afterwards how much is missing', () => {
  const { disk, lines } = bounded();
  disk.room = 13;
  for (const line of ['{"n":1}\n', '{"n":2}\n', '{"n":3}\n']) lines.write(line);
  expect(disk.text).toBe('{"n":1}\n{"n":');
  disk.room = 10_000;
  lines.write('{"n":4}\n');
  const [first, torn, missing, last, end] = disk.text.split('\n');
  expect([first, torn, last, end]).toEqual(['{"n":1}', '{"n":', '{"n":4}', '']);
  expect(JSON.parse(missing ?? '')).toMatchObject({ event: 'log_lines_lost', lines: 2 });
  lines.write('{"n":5}\n');
  expect(disk.text.endsWith('{"n":4}\n{"n":5}\n')).toBe(true);
});

it('a pipe that is busy is waited for, and one that stays busy costs a line', () => {
  let busy = 2;
  const got: string[] = [];
  const lines = createLines((bytes) => {
    busy -= 1;
    if (busy >= 0) throw Object.assign(new Error('busy'), { code: 'EAGAIN' });
    got.push(Buffer.from(bytes).toString());
    return bytes.length;
  });
  lines.write('a\n');
  expect(got).toEqual(['a\n']);
  busy = Number.POSITIVE_INFINITY;
  lines.write('b\n');
  busy = 0;
  lines.write('c\n');
  expect(got.at(-1)).toBe('c\n');
  expect(got).toHaveLength(3);
});

it('a pipe that nobody empties is waited for once, not at each line', () => {
  let tries = 0;
  const lines = createLines(() => {
    tries += 1;
    throw Object.assign(new Error('busy'), { code: 'EAGAIN' });
  });
  lines.write('a\n');
  const first = tries;
  for (let n = 0; n < 10; n += 1) lines.write('b\n');
  expect(tries - first).toBe(10);
});
