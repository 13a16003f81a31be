import { describe, expect, it } from 'vitest';
import { type Column, table } from '../../../../cli/render/table.ts';

interface Row {
  readonly name: string;
  readonly count?: number;
  readonly note?: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'COUNT', value: (row) => row.count, right: true },
  { title: 'NOTE', value: (row) => row.note, wide: true },
];

describe('table', () => {
  it('pads columns to the widest cell and writes - for nothing', () => {
    expect(table([{ name: 'a', count: 7 }, { name: 'longer' }], columns)).toBe(
      'NAME    COUNT\na           7\nlonger      -',
    );
  });

  it('shows wide columns only when asked, and no spaces at the end', () => {
    const text = table([{ name: 'a', count: 1, note: 'x' }], columns, { wide: true });
    expect(text).toBe('NAME  COUNT  NOTE\na         1  x');
  });

  it('keeps one line per row, whatever a cell holds', () => {
    expect(table([{ name: 'a\nb\tc' }], columns).split('\n')).toHaveLength(2);
  });

  it('paints cells without moving columns', () => {
    const painted: readonly Column<Row>[] = [
      { title: 'NAME', value: (row) => row.name, paint: (text) => `<${text}>` },
      { title: 'COUNT', value: (row) => row.count },
    ];
    expect(table([{ name: 'a', count: 1 }], painted)).toBe('NAME  COUNT\n<a>     1');
  });

  it('of no rows is empty', () => {
    expect(table([], columns)).toBe('');
  });
});
