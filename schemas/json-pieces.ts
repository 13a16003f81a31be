/** JSON of a large value, piece by piece: nobody has to hold all of its text, or to wait while it is made. */

/** Containers above this level are taken apart, and long lists on it; all else is written as a whole, which is much faster. */
const level = 3;
const long = 32;
/** Characters of a piece, at least; the last one has the rest. */
const least = 64 * 1024;

/** The pieces are the text that `JSON.stringify` makes of the value, which must not be undefined, or have members that say themselves how they are written. */
export function* jsonPieces(value: unknown): Generator<string, undefined, undefined> {
  let piece = '';
  for (const text of texts(value, level)) {
    piece += text;
    if (piece.length < least) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function* texts(value: unknown, above: number): Generator<string, undefined, undefined> {
  if (Array.isArray(value) && (above > 0 || (above === 0 && value.length > long))) yield* ofArray(value, above);
  else if (typeof value === 'object' && value !== null && above > 0) yield* ofObject(value, above);
  else yield (JSON.stringify(value) as string | undefined) ?? 'null';
}

function* ofArray(items: readonly unknown[], above: number): Generator<string, undefined, undefined> {
  let before = '[';
  for (const item of items) {
    yield before;
    yield* texts(item, above - 1);
    before = ',';
  }
  yield items.length === 0 ? '[]' : ']';
}

function* ofObject(value: object, above: number): Generator<string, undefined, undefined> {
  let before = '{';
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* texts(member, above - 1);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}
