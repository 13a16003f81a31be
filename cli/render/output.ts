/** The four machine formats and the two tables, the same for every command. Lists are `{items: [...]}`. */
import type { Paint } from './paint.ts';
import { type Column, table } from './table.ts';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** How one kind of object is shown. */
export interface Listing<Row> {
  readonly columns: (paint: Paint) => readonly Column<Row>[];
  /** What `-o name` prints: the name that other commands take. */
  readonly nameOf: (row: Row) => string;
  /** The lines of a table that one object takes; absent: one. */
  readonly rowsOf?: (row: Row) => readonly Row[];
  /** Printed instead of a table without rows. */
  readonly empty: string;
}

export interface Rendered {
  /** For stdout. */
  readonly data: string;
  /** For stderr: an empty table says why it is empty. */
  readonly note?: string;
}

/** A list in the wanted format. */
export async function renderList<Row>(
  format: OutputFormat,
  items: readonly Row[],
  listing: Listing<Row>,
  paint: Paint,
): Promise<Rendered> {
  if (format === 'json' || format === 'yaml') return { data: await renderData(format, { items }) };
  if (format === 'name') return { data: items.map(listing.nameOf).join('\n') };
  if (items.length === 0) return { data: '', note: listing.empty };
  const rows = listing.rowsOf ? items.flatMap(listing.rowsOf) : items;
  return { data: table(rows, listing.columns(paint), { wide: format === 'wide', header: paint.dim }) };
}

/** One object: `text` for people, otherwise the object itself or its name. */
export async function renderOne<Value>(
  format: OutputFormat,
  value: Value,
  view: { readonly name: string; readonly text: (value: Value) => string },
): Promise<string> {
  if (format === 'json' || format === 'yaml') return renderData(format, value);
  return format === 'name' ? view.name : view.text(value);
}

/** JSON with two spaces, or YAML. */
export async function renderData(format: 'json' | 'yaml', value: unknown): Promise<string> {
  if (format === 'json') return JSON.stringify(value, undefined, 2);
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}
