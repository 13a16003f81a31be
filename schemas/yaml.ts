/**
 * YAML and JSON text to plain values with positions. Refuses in bounded time whatever a hostile writer could make of YAML:
 * references, tags, duplicate and dangerous keys, depth and size. The limits are in yaml-scan.ts.
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml';
import { type Problem, problem } from './problem.ts';
import { scanYaml, type Trespass, tooDeep, tooMany, yamlLimits } from './yaml-scan.ts';

/** Keys and indexes from the root of a document. */
export type Path = readonly (string | number)[];

/** Where something stands in a text, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Absent: the file that the document is of. */
  readonly file?: string;
}

export interface YamlDocument {
  /** Objects have no prototype; numbers are finite; strings are well-formed. */
  readonly value: unknown;
  /** Place of the key or item at `path`; of its nearest parent that exists if it does not. */
  locate(path: Path): Place;
}

export interface YamlText {
  /** In order, without empty ones. Empty when there are problems. */
  readonly documents: readonly YamlDocument[];
  /** All of code YAML_INVALID; at most {@link maxProblems}. */
  readonly problems: readonly Problem[];
}

/** More than these per text are not reported. */
export const maxProblems = 20;

/** Keys that would reach into prototypes. No text of ours may hold them. */
export const dangerousKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Control characters, and those that change the direction or the look of what follows. */
const deceptive = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

/** Parses a file of YAML or JSON documents. Never throws. */
export function parseYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const report = (found: Trespass): Problem => {
    const { message, hint, offset } = found;
    return problem('YAML_INVALID', message, { file, ...placeIn(text, offset), ...(hint ? { hint } : {}) });
  };
  const trespass = scanYaml(text);
  if (trespass) return { documents: [], problems: [report(trespass)] };
  const parsed = parseDocuments(text, lines);
  const found: Trespass[] = parsed
    .flatMap((document) => document.errors)
    .slice(0, maxProblems)
    .map((error, index) => ({
      offset: error.pos[0],
      message: firstSentence(error.message),
      // Of the first: what is wrong there is often what makes the others.
      ...(index === 0 && { hint: syntaxHint }),
    }));
  if (found.length > 0) return { documents: [], problems: found.map(report) };
  const walk: Walk = { nodes: 0, found };
  const documents: YamlDocument[] = [];
  for (const { contents } of parsed) {
    const value = toPlain(contents as Node | null, 0, walk);
    if (value === null || value === undefined) continue;
    documents.push({ value, locate: (path) => placeOf(lines, offsetOf(contents as Node | null, path)) });
  }
  if (found.length > 0) return { documents: [], problems: found.map(report) };
  return { documents, problems: [] };
}

/** A hostile text makes the parser build an error object per character: stack traces would be most of its time. */
function parseDocuments(text: string, lineCounter: LineCounter): ReturnType<typeof parseAllDocuments> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parseAllDocuments(text, {
      lineCounter,
      prettyErrors: false,
      // Checked in the walk with a set: the parser's own check is quadratic.
      uniqueKeys: false,
      schema: 'core',
      version: '1.2',
      logLevel: 'silent',
    });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What to do about what the parser says, which is seldom about the cause. */
export const syntaxHint = 'look at indentation, brackets and quotes on this line and the one before it';

/** The parser's sentence without what it adds on further lines. */
function firstSentence(message: string): string {
  return message.split('\n', 1)[0]?.slice(0, 200) ?? 'not YAML';
}

function placeIn(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

function placeOf(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

interface Walk {
  nodes: number;
  readonly found: Trespass[];
}

/** The plain value of a node; undefined once something was found. Depth is bounded here and, roughly, by the scan. */
function toPlain(node: Node | null, depth: number, walk: Walk): unknown {
  walk.nodes += 1;
  const offset = startOf(node);
  if (depth > yamlLimits.depth) return refuse(walk, tooDeep(offset));
  if (walk.nodes > yamlLimits.nodes) return refuse(walk, tooMany(offset));
  if (walk.found.length > 0) return undefined;
  if (node === null) return null;
  if (isMap<Node, Node | null>(node)) return toObject(node.items, depth, walk);
  if (isSeq<Node>(node)) return node.items.map((item) => toPlain(item, depth + 1, walk));
  if (isScalar(node)) return toScalar(node.value, offset, walk);
  return refuse(walk, { offset, message: 'anchors and aliases are not allowed', hint: 'write the value out' });
}

function toObject(pairs: readonly Pair<Node, Node | null>[], depth: number, walk: Walk): unknown {
  const object: Record<string, unknown> = Object.create(null);
  const seen = new Set<string>();
  for (const pair of pairs) {
    const key = keyOf(pair.key, walk);
    if (key === undefined) return undefined;
    if (seen.has(key)) {
      return refuse(walk, { offset: startOf(pair.key), message: `the key \`${key}\` is there twice` });
    }
    seen.add(key);
    object[key] = toPlain(pair.value, depth + 1, walk);
  }
  return object;
}

/** Text of a key; undefined (and a trespass) when it is none that we take. */
function keyOf(node: Node | null, walk: Walk): string | undefined {
  walk.nodes += 1;
  const offset = startOf(node);
  if (!isScalar(node)) return refuse(walk, { offset, message: 'a key must be a plain word' });
  const key = typeof node.value === 'string' ? node.value : (node.source ?? '');
  if (key === '') return refuse(walk, { offset, message: 'a key is empty' });
  if (key === '<<') return refuse(walk, { offset, message: 'merge keys (`<<`) are not allowed', hint: 'write it out' });
  if (dangerousKeys.has(key)) return refuse(walk, { offset, message: `the key \`${key}\` is not allowed` });
  if (key.length > 256) return refuse(walk, { offset, message: `a key is ${key.length} characters long, at most 256` });
  if (deceptive.test(key) || !key.isWellFormed()) {
    return refuse(walk, { offset, message: 'a key holds control or invisible characters', hint: 'type it anew' });
  }
  return key;
}

function toScalar(value: unknown, offset: number, walk: Walk): unknown {
  if (typeof value === 'string') {
    if (value.includes('\0')) return refuse(walk, { offset, message: 'a text holds a NUL character' });
    if (!value.isWellFormed())
      return refuse(walk, { offset, message: 'a text holds half a character (lone surrogate)' });
    return value;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return refuse(walk, { offset, message: 'a number must be finite', hint: 'quote it if it is a text' });
  }
  return value;
}

function refuse(walk: Walk, found: Trespass): undefined {
  if (walk.found.length < maxProblems) walk.found.push(found);
  return undefined;
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

function offsetOf(root: Node | null, path: Path): number {
  let node = root;
  let offset = startOf(root);
  for (const step of path) {
    if (isMap<Node, Node | null>(node)) {
      const pair = node.items.find(
        (item) => isScalar(item.key) && String(item.key.source ?? item.key.value) === String(step),
      );
      if (!pair) return offset;
      offset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq<Node>(node) && typeof step === 'number' && node.items[step]) {
      node = node.items[step];
      offset = startOf(node);
    } else {
      return offset;
    }
  }
  return offset;
}
