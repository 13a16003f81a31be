// biome-ignore-all lint/suspicious/noTemplateCurlyInString: of compose
import { describe, expect, it } from 'vitest';
import { fillIn, parseEnvironment } from '../../../../cli/compose/variables.ts';

describe('variables', () => {
  const given = { SET: 'x', EMPTY: '' };

  it.each([
    ['$SET-${SET}', 'x-x'],
    ['${SET:-d}${EMPTY:-d}${NONE:-d}', 'xdd'],
    ['${SET-d}${EMPTY-d}${NONE-d}', 'xd'],
    ['${SET:+r}${EMPTY:+r}${NONE:+r}', 'r'],
    ['${SET+r}${EMPTY+r}${NONE+r}', 'rr'],
    ['${NONE:-${SET}}', 'x'],
    ['$$SET $ 5$', '$SET $ 5$'],
    ['${SET:?needed}', 'x'],
  ])('%s is %s', (written, text) => {
    expect(fillIn(written, given)).toEqual({ text, unset: [], demanded: [] });
  });

  it('tells what nobody gave, and what is demanded', () => {
    expect(fillIn('a$NONE b${OTHER:?say it}${THIRD?}', given)).toEqual({
      text: 'a b',
      unset: ['NONE'],
      demanded: ['OTHER: say it', 'THIRD'],
    });
  });
});

it('files of variables have comments, quotes and exports', () => {
  const text = ['# c', 'A=1', 'export B = two words # c', 'C="x # y\\n"', "D='$E'", 'no line', '', 'F='].join('\n');
  expect(parseEnvironment(text)).toEqual({ A: '1', B: 'two words', C: 'x # y\n', D: '$E', F: '' });
});
