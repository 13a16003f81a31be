/**
 * The look at a text before the YAML parser sees it: linear, without recursion, stops at the first trespass. What gets past
 * it is small, flat and free of references, so that parsing it ends soon.
 */
import { CST, Lexer } from 'yaml';

/** Limits of a document file. */
export const yamlLimits = {
  /** UTF-16 code units, and bytes of UTF-8. */
  bytes: 256 * 1024,
  depth: 20,
  nodes: 50_000,
  documents: 1_000,
} as const;

/** What the scan objects to, and where (offset in the text). */
export interface Trespass {
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

/** Characters that YAML 1.2 does not allow in a stream (a byte order mark is allowed at the start only). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;

/** The first reason not to parse `text`, or undefined. */
export function scanYaml(text: string): Trespass | undefined {
  const size = text.length > yamlLimits.bytes ? text.length : new TextEncoder().encode(text).length;
  if (size > yamlLimits.bytes) {
    return {
      offset: 0,
      message: `the text is over ${yamlLimits.bytes} bytes long (${size})`,
      hint: 'split it into several files',
    };
  }
  const bad = unprintable.exec(text);
  if (bad) {
    const code = bad[0].charCodeAt(0).toString(16).padStart(4, '0');
    return { offset: bad.index, message: `the control character U+${code} is not allowed in YAML` };
  }
  return scanTokens(text);
}

/** Bookkeeping of the token scan. `columns` holds where the open block collections stand. */
interface Scan {
  offset: number;
  lineStart: number;
  flow: number;
  /** Values and the marks before them (`-`, `?`, `,`): at most two per value, so twice the limit of values is never enough. */
  marks: number;
  documents: number;
  columns: number[];
}

function scanTokens(text: string): Trespass | undefined {
  const scan: Scan = { offset: 0, lineStart: 0, flow: 0, marks: 0, documents: 0, columns: [] };
  let plain = false;
  for (const token of new Lexer().lex(text)) {
    if (token === CST.SCALAR) {
      plain = true;
      continue;
    }
    if (token === CST.DOCUMENT || token === CST.FLOW_END) continue;
    const found = count(scan, plain ? 'scalar' : CST.tokenType(token), token) ?? overLimit(scan);
    if (found) return found;
    plain = false;
    advance(scan, token);
  }
  return undefined;
}

function advance(scan: Scan, token: string): void {
  const newline = token.lastIndexOf('\n');
  if (newline >= 0) scan.lineStart = scan.offset + newline + 1;
  scan.offset += token.length;
}

function count(scan: Scan, type: CST.TokenType | null, token: string): Trespass | undefined {
  const { offset } = scan;
  switch (type) {
    case 'anchor':
    case 'alias':
      return { offset, message: `anchors and aliases are not allowed (${token})`, hint: 'write the value out' };
    case 'tag':
      return { offset, message: `tags are not allowed (${token})`, hint: 'remove the tag' };
    case 'directive-line':
      if (/^%YAML[ \t]+1\.2[ \t]*$/.test(token)) return undefined;
      return { offset, message: `the directive ${token.slice(0, 40)} is not allowed`, hint: 'oakctl reads YAML 1.2' };
    case 'doc-start':
    case 'doc-end':
      scan.documents += 1;
      scan.columns = [];
      return undefined;
    case 'flow-map-start':
    case 'flow-seq-start':
      openNode(scan);
      scan.flow += 1;
      return undefined;
    case 'flow-map-end':
    case 'flow-seq-end':
      if (scan.flow === 0) return { offset, message: `\`${token}\` closes nothing` };
      scan.flow -= 1;
      return undefined;
    case 'comma':
      scan.marks += 1;
      return undefined;
    case 'scalar':
    case 'single-quoted-scalar':
    case 'double-quoted-scalar':
    case 'block-scalar-header':
    case 'seq-item-ind':
    case 'explicit-key-ind':
      openNode(scan);
      return undefined;
    default:
      return undefined;
  }
}

/** Something stands at this column: deeper blocks are closed, and it may open one of its own. */
function openNode(scan: Scan): void {
  scan.marks += 1;
  if (scan.flow > 0) return;
  const column = scan.offset - scan.lineStart;
  while ((scan.columns.at(-1) ?? -1) > column) scan.columns.pop();
  if (scan.columns.at(-1) !== column) scan.columns.push(column);
}

/**
 * Depth and number of values are found roughly here (a list may stand at the column of its key), so the limits are doubled: the
 * exact ones are checked on what the parser made of it.
 */
function overLimit(scan: Scan): Trespass | undefined {
  const { offset } = scan;
  if (scan.columns.length + scan.flow > 2 * yamlLimits.depth) return tooDeep(offset);
  if (scan.marks > 2 * yamlLimits.nodes) return tooMany(offset);
  if (scan.documents > yamlLimits.documents) {
    return { offset, message: `more than ${yamlLimits.documents} documents in one file`, hint: 'split it' };
  }
  return undefined;
}

/** Nesting deeper than the limit. */
export function tooDeep(offset: number): Trespass {
  return { offset, message: `nested deeper than ${yamlLimits.depth} levels`, hint: 'flatten it' };
}

/** More values than the limit. */
export function tooMany(offset: number): Trespass {
  return { offset, message: `more than ${yamlLimits.nodes} values in one file`, hint: 'split it into several files' };
}
