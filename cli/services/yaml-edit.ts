/** One value of a YAML or JSON text is set where it stands; every other character stays. The parser only says where that is. */
import { type Document, isMap, isScalar, isSeq, type Pair, parseAllDocuments, type Scalar, type YAMLMap } from 'yaml';

/** Keys and indexes from the root of a document. */
type Path = readonly (string | number)[];

export interface YamlEdit {
  /** Of the map, in the document with this number (from 0, of all in the text). */
  readonly document: number;
  readonly path: Path;
  readonly key: string;
  readonly value: number | boolean | string;
  /** A key of the map after which a new one is written. */
  readonly after: string;
}

export interface Edited {
  readonly text: string;
  /** From 1: of the value. */
  readonly line: number;
  /** It had no line of its own before. */
  readonly isNew: boolean;
}

/** The documents of a text as this module counts them. Its own errors are not told: validate the text first. */
export function yamlDocuments(text: string): readonly unknown[] {
  return parse(text).map((document) => document.toJS() as unknown);
}

/** Undefined where it cannot be done in place: the map or the neighbour is not there, or the value is none of a line. */
export function editYaml(text: string, edit: YamlEdit): Edited | undefined {
  const map = mapAt(parse(text)[edit.document], edit.path);
  if (!map) return undefined;
  const pair = pairOf(map, edit.key);
  const splice = pair ? replacement(text, pair, edit) : addition(text, map, edit);
  if (!splice) return undefined;
  const next = `${text.slice(0, splice.from)}${splice.text}${text.slice(splice.to)}`;
  return { text: next, line: text.slice(0, splice.from).split('\n').length + splice.down, isNew: !pair };
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /** Lines between `from` and the value. */
  readonly down: number;
}

function parse(text: string): Document.Parsed[] {
  const found = parseAllDocuments(text, { schema: 'core', version: '1.2', logLevel: 'silent' });
  return Array.isArray(found) ? (found as Document.Parsed[]) : [];
}

function mapAt(document: Document.Parsed | undefined, path: Path): YAMLMap | undefined {
  let node: unknown = document?.contents;
  for (const step of path) {
    if (isMap(node) && typeof step === 'string') node = pairOf(node, step)?.value;
    else if (isSeq(node) && typeof step === 'number') node = node.items[step];
    else return undefined;
  }
  return isMap(node) ? node : undefined;
}

function pairOf(map: YAMLMap, key: string): Pair<Scalar, unknown> | undefined {
  return map.items.find((pair): pair is Pair<Scalar, unknown> => isScalar(pair.key) && pair.key.value === key);
}

function replacement(text: string, { key, value }: Pair<Scalar, unknown>, edit: YamlEdit): Splice | undefined {
  const written = valueText(edit, key);
  if (value === null || (isScalar(value) && isBlank(text, value))) {
    const colon = text.indexOf(':', key.range?.[1]);
    return colon < 0 ? undefined : { from: colon + 1, to: colon + 1, text: ` ${written}`, down: 0 };
  }
  if (!isScalar(value) || !value.range) return undefined;
  const [from, to] = value.range;
  return text.slice(from, to).includes('\n') ? undefined : { from, to, text: written, down: 0 };
}

function isBlank(text: string, { range }: Scalar): boolean {
  return range ? text.slice(range[0], range[1]).trim() === '' : true;
}

/** A line of its own below its neighbour's; in a map of braces, beside it. */
function addition(text: string, map: YAMLMap, edit: YamlEdit): Splice | undefined {
  const beside = pairOf(map, edit.after);
  const start = beside?.key.range?.[0];
  const end = isScalar(beside?.value) ? beside.value.range?.[1] : undefined;
  if (!beside || start === undefined || end === undefined) return undefined;
  const entry = `${isQuoted(beside.key) ? JSON.stringify(edit.key) : edit.key}: ${valueText(edit, beside.key)}`;
  if (map.flow) return { from: end, to: end, text: `, ${entry}`, down: 0 };
  const newline = text.indexOf('\n', end);
  const at = newline < 0 ? text.length : newline - (text[newline - 1] === '\r' ? 1 : 0);
  const indent = ' '.repeat(start - (text.lastIndexOf('\n', start - 1) + 1));
  const lineEnd = at < newline || (newline < 0 && text.includes('\r\n')) ? '\r\n' : '\n';
  return { from: at, to: at, text: `${lineEnd}${indent}${entry}`, down: 1 };
}

/** As its key is written: JSON stays JSON. */
function valueText({ value }: YamlEdit, key: Scalar): string {
  return typeof value === 'string' && isQuoted(key) ? JSON.stringify(value) : String(value);
}

function isQuoted({ type }: Scalar): boolean {
  return type === 'QUOTE_DOUBLE';
}
