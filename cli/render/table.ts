/** Tables: columns padded to their widest cell, two spaces between, no lines, one row per object. */

export interface Column<Row> {
  readonly title: string;
  /** Text of the cell; absent or empty prints `-`. */
  readonly value: (row: Row) => string | number | undefined;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  readonly right?: boolean;
  /** Colours a padded cell. Gets what `value` gave. */
  readonly paint?: (text: string) => string;
}

export interface TableOptions {
  readonly wide?: boolean;
  readonly header?: (text: string) => string;
}

/** Rows as text, one line each, without a line end after the last. Empty when there are no rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: TableOptions = {}): string {
  if (rows.length === 0) return '';
  const shown = columns.filter((column) => options.wide || !column.wide);
  const cells = rows.map((row) => shown.map((column) => cellText(column.value(row))));
  const widths = shown.map((column, i) => Math.max(width(column.title), ...cells.map((line) => width(line[i] ?? ''))));
  const header = joinLine(shown.map((column, i) => pad(column.title, widths[i] ?? 0, column.right ?? false)));
  const lines = cells.map((line) =>
    joinLine(
      shown.map((column, i) => {
        const text = line[i] ?? '';
        const padded = pad(text, widths[i] ?? 0, column.right ?? false);
        return column.paint ? padded.replace(text, () => column.paint?.(text) ?? text) : padded;
      }),
    ),
  );
  return [options.header ? options.header(header) : header, ...lines].join('\n');
}

function cellText(value: string | number | undefined): string {
  const text = String(value ?? '').replace(/\s+/g, ' ');
  return text === '' ? '-' : text;
}

function joinLine(cells: readonly string[]): string {
  return cells.join('  ').trimEnd();
}

function pad(text: string, size: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, size - width(text)));
  return right ? space + text : text + space;
}

/** Columns on a terminal; code points outside the basic plane count double, which is right for most of them. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += character.length;
  return columns;
}
