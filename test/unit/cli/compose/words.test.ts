import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitWords } from '../../../../cli/compose/words.ts';

it.each([
  ['httpd -f -p 80', ['httpd', '-f', '-p', '80']],
  ['sh -c "echo  \\"a b\\" $HOME"', ['sh', '-c', 'echo  "a b" $HOME']],
  ["echo 'a\\b' c\\ d", ['echo', 'a\\b', 'c d']],
  ['a"b"\'c\'', ['abc']],
  ["''", ['']],
  ['  ', []],
])('splits %s', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

it('refuses a quote that is not closed', () => {
  expect(splitWords('echo "a')).toBeUndefined();
  expect(splitWords("echo 'a")).toBeUndefined();
});

it('gives back what was quoted', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
      const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
      expect(splitWords(line)).toEqual(words);
    }),
  );
});
