/** A compose file as plain data: references and merge keys resolved, variables filled in, every place known. Pure. */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { createFindings, type Findings } from '../../schemas/findings.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { type Path, type Place, syntaxHint } from '../../schemas/yaml.ts';
import { fillIn } from './variables.ts';

export interface ComposeFile {
  /** The root; empty when there are errors among the findings. */
  readonly root: Fields;
  readonly findings: Findings;
}

export type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the text of a compose file; what is wrong with it goes to the findings (COMPOSE_INVALID), what nobody gave as well
 * (COMPOSE_LOST). Compose files are the user's own: anchors and merge keys are taken, unlike in descriptors.
 */
export function readCompose(text: string, file: string, given: Readonly<Record<string, string>>): ComposeFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false, logLevel: 'silent' });
  const [wrong] = document.errors;
  if (wrong) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    return broken(problem('COMPOSE_INVALID', wrong.message, { file, line, column: col, hint: syntaxHint }));
  }
  const locate = (path: Path): Place => placeOf(lines, document.contents, path);
  const findings = createFindings(file, { locate });
  let plain: unknown;
  try {
    plain = document.toJS();
  } catch (error) {
    return broken(problem('COMPOSE_INVALID', error instanceof Error ? error.message : String(error), { file }));
  }
  const root = filled(plain, [], given, findings);
  if (isFields(root) && isFields(root['services'])) return { root, findings };
  findings.error(
    'COMPOSE_INVALID',
    [],
    'the file has no `services`',
    'name the compose file: oakctl import compose.yaml',
  );
  return { root: {}, findings };
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The services by name; one that is written as nothing has no fields. */
export function servicesOf(root: Fields): readonly (readonly [string, Fields])[] {
  const services = isFields(root['services']) ? root['services'] : {};
  return Object.entries(services).map(([name, service]) => [name, isFields(service) ? service : {}]);
}

/** A list, or a single value as one of its own. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** `KEY=value` items of a mapping or of a list of such items; the value is undefined where only the key is written. */
export function pairsOf(value: unknown): readonly (readonly [string, string | undefined])[] {
  if (isFields(value)) return Object.entries(value).map(([key, one]) => [key, one === null ? undefined : String(one)]);
  return listOf(value).map((item) => {
    const [, key = String(item), one] = /^([^=]+)=([\s\S]*)$/.exec(String(item)) ?? [];
    return [key, one];
  });
}

function broken(wrong: Problem): ComposeFile {
  const findings = createFindings(wrong.file ?? '', {
    locate: () => ({ line: wrong.line ?? 1, column: wrong.column ?? 1 }),
  });
  findings.error('COMPOSE_INVALID', [], wrong.message, wrong.hint);
  return { root: {}, findings };
}

function filled(value: unknown, path: Path, given: Readonly<Record<string, string>>, findings: Findings): unknown {
  if (Array.isArray(value)) return value.map((one, index) => filled(one, [...path, index], given, findings));
  if (isFields(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, filled(one, [...path, key], given, findings)]),
    );
  }
  if (typeof value !== 'string') return value;
  const { text, unset, demanded } = fillIn(value, given);
  for (const name of unset) {
    findings.warning(
      'COMPOSE_LOST',
      path,
      `variable ${name} is not set, and counts as empty`,
      `${name}=... oakctl import ...`,
    );
  }
  for (const what of demanded) findings.error('COMPOSE_INVALID', path, `a variable is needed: ${what}`);
  return text;
}

/** Where a path stands: the nearest parent that is written, where a reference or a merge key leads elsewhere. */
function placeOf(lines: LineCounter, root: unknown, path: Path): Place {
  let node = root;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item: Pair) => isScalar(item.key) && String(item.key.value) === String(step));
      if (!pair) break;
      offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (!isNode(node)) break;
      offset = node.range?.[0] ?? offset;
    } else break;
  }
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'range' in value;
}
