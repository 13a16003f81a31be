/**
 * A list that is shown again and again. On a terminal in place; otherwise only what changed, so that a log file stays short.
 * `-o json`: one line per change, each the whole list; `-o yaml`: one document per change; `-o name`: names as they come.
 */
import { createProgress, type ProgressStream } from './progress.ts';
import { type Listing, type OutputFormat, renderData } from './render/output.ts';
import type { Paint } from './render/paint.ts';
import { table } from './render/table.ts';

export interface ListView<Row> {
  show(rows: readonly Row[]): Promise<void>;
}

export function createListView<Row>(
  format: OutputFormat,
  listing: Listing<Row>,
  paint: Paint,
  stream: ProgressStream,
): ListView<Row> {
  if (format === 'json' || format === 'yaml') return documents(format, stream);
  if (format === 'name') return names(listing, stream);
  const lines = (rows: readonly Row[]) =>
    table(rows, listing.columns(paint), { wide: format === 'wide', header: paint.dim }).split('\n');
  return stream.isTTY ? inPlace(listing, lines, stream) : changes(listing, lines, stream);
}

type Lines<Row> = (rows: readonly Row[]) => readonly string[];

function inPlace<Row>(listing: Listing<Row>, lines: Lines<Row>, stream: ProgressStream): ListView<Row> {
  const screen = createProgress(stream);
  return {
    async show(rows) {
      const texts = rows.length === 0 ? [listing.empty] : lines(rows);
      screen.show(texts.map((text, i) => ({ key: String(i), text })));
    },
  };
}

function changes<Row>(listing: Listing<Row>, lines: Lines<Row>, stream: ProgressStream): ListView<Row> {
  let before: ReadonlyMap<string, string> | undefined;
  return {
    async show(rows) {
      const now = new Map(rows.map((row) => [listing.nameOf(row), substance(row)]));
      const [header, ...texts] = rows.length > 0 ? lines(rows) : [];
      const changed = texts.filter((_, i) => {
        const name = listing.nameOf(rows[i] as Row);
        return before?.get(name) !== now.get(name);
      });
      const gone = [...(before?.keys() ?? [])].filter((name) => !now.has(name)).map((name) => `${name}  gone`);
      const head = header !== undefined && (before?.size ?? 0) === 0 ? [header] : [];
      const news = [...head, ...changed, ...gone];
      if (news.length > 0) stream.write(`${news.join('\n')}\n`);
      before = now;
    },
  };
}

function documents<Row>(format: 'json' | 'yaml', stream: ProgressStream): ListView<Row> {
  let before: string | undefined;
  return {
    async show(items) {
      const now = substance(items);
      if (now === before) return;
      before = now;
      stream.write(
        format === 'json' ? `${JSON.stringify({ items })}\n` : `---\n${await renderData('yaml', { items })}\n`,
      );
    },
  };
}

function names<Row>(listing: Listing<Row>, stream: ProgressStream): ListView<Row> {
  let before = new Set<string>();
  return {
    async show(rows) {
      const now = new Set(rows.map(listing.nameOf));
      const fresh = [...now].filter((name) => !before.has(name));
      if (fresh.length > 0) stream.write(`${fresh.join('\n')}\n`);
      before = now;
    },
  };
}

/** They change all the time, and mean nothing by that. */
const restless: ReadonlySet<string> = new Set(['age', 'seen', 'usage', 'checked']);

function substance(value: unknown): string {
  return JSON.stringify(value, (key, member: unknown) => (restless.has(key) ? undefined : member));
}
