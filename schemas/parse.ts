/**
 * Validation: the only file that knows ajv. Wire messages become typed values or one problem; plain values of documents get
 * all their problems, with the path of the field and the right spelling of unknown keys.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { TSchema } from 'typebox';
import { type Problem, type ProblemCode, problem } from './problem.ts';
import { nearest } from './spelling.ts';
import { dangerousKeys, maxProblems, type Path } from './yaml.ts';

/** Longest wire text that is looked at, in UTF-16 code units. */
export const maxMessageLength = 1024 * 1024;
/** Deepest nesting of a wire text. */
const maxMessageDepth = 32;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

/** What is wrong with one field of a document. */
export interface Violation {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
  readonly unknownKey?: true;
}

/** `errorMessage` is ours (editors know it): the sentence that replaces the validator's for this schema. */
const keywords = ['errorMessage'];
const options = { strict: true, strictTypes: false, verbose: true, keywords } as const;
const first = createCompiler(new Ajv2020({ ...options, allErrors: false }));
const all = createCompiler(new Ajv2020({ ...options, allErrors: true }));

/** Each schema object is compiled once, when it is first used. */
function createCompiler(ajv: Ajv2020): (schema: TSchema) => ValidateFunction {
  const compiled = new WeakMap<object, ValidateFunction>();
  return (schema) => {
    const known = compiled.get(schema);
    if (known) return known;
    const validate = ajv.compile(schema);
    compiled.set(schema, validate);
    return validate;
  };
}

/** Parses and checks one JSON text from the wire. Never throws; the problem is BAD_REQUEST, with the field as subject. */
export function parseMessage<T>(schema: TSchema, text: string, maxLength: number = maxMessageLength): Parsed<T> {
  if (text.length > maxLength) return malformed(`the text is ${text.length} characters long, at most ${maxLength}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed('the text is not JSON');
  }
  return checkForeign<T>(schema, value);
}

/** Checks a value from outside that was parsed elsewhere (the body of a request). As {@link parseMessage}. */
export function checkForeign<T>(schema: TSchema, value: unknown): Parsed<T> {
  const dangerous = findDangerous(value, 0);
  return dangerous ? malformed(dangerous) : checkMessage<T>(schema, value);
}

/** Checks a value that is ours, or was looked at as a whole already (a document inside a message). As {@link parseMessage}. */
export function checkMessage<T>(schema: TSchema, value: unknown, code: ProblemCode = 'BAD_REQUEST'): Parsed<T> {
  const validate = first(schema);
  if (validate(value)) return { ok: true, value: value as T };
  const [violation] = violationsOf(validate.errors ?? []);
  if (!violation) return malformed('the value breaks its schema');
  const subject = formatPath(violation.path);
  return {
    ok: false,
    problem: problem(violation.unknownKey ? 'UNKNOWN_FIELD' : code, violation.message, {
      ...(subject ? { subject } : {}),
      ...(violation.hint ? { hint: violation.hint } : {}),
    }),
  };
}

/** What is wrong with a value, at most {@link maxProblems} things. */
export function violations(schema: TSchema, value: unknown): readonly Violation[] {
  const validate = all(schema);
  return validate(value) ? [] : violationsOf(validate.errors ?? []);
}

/** `applications[0].microservices[1].port` */
export function formatPath(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

function malformed(message: string): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem('BAD_REQUEST', message) };
}

function findDangerous(value: unknown, depth: number): string | undefined {
  // Half a character has no UTF-8, so no hash and no signature.
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'a text holds half a character';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > maxMessageDepth) return `nested deeper than ${maxMessageDepth} levels`;
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed()) return 'a key holds half a character';
    if (dangerousKeys.has(key)) return `the key \`${key}\` is not allowed`;
    const found = findDangerous((value as Record<string, unknown>)[key], depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** What a union tried in vain is left out: the union itself says what it takes. Of `x or nothing`, only x is talked about. */
function violationsOf(errors: readonly ErrorObject[]): readonly Violation[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf');
  const places = (some: readonly ErrorObject[], end: string) => [
    ...new Set(some.map((one) => `${one.schemaPath}${end}`)),
  ];
  const hidden = places(
    unions.filter((error) => !isBlankable(error)),
    '/',
  );
  const blankable = new Set(places(unions.filter(isBlankable), ''));
  return errors
    .filter(({ schemaPath, keyword, params }) => {
      if (blankable.has(schemaPath)) return false;
      if (keyword === 'type' && params['type'] === 'null') return false;
      return !hidden.some((union) => schemaPath.startsWith(union));
    })
    .slice(0, maxProblems)
    .map((error) => violationOf(error));
}

/** True for `x or null`, the schema of what may be left blank. */
function isBlankable({ parentSchema }: ErrorObject): boolean {
  const branches: unknown = parentSchema?.['anyOf'];
  return Array.isArray(branches) && branches.length === 2 && branches[1]?.type === 'null';
}

function violationOf(error: ErrorObject): Violation {
  const path = splitPointer(error.instancePath);
  const { params, parentSchema } = error;
  if (error.keyword === 'additionalProperties') {
    const key = String(params['additionalProperty']);
    if (!parentSchema?.['properties']) return { path: [...path, key], message: 'is no name that a key may have here' };
    const known = nearest(key, Object.keys(parentSchema['properties'] as object));
    const hint = known ? { hint: `did you mean \`${known}\`?` } : {};
    return { path: [...path, key], message: `nothing knows the key \`${key}\``, unknownKey: true, ...hint };
  }
  if (error.keyword === 'required') return { path, message: `\`${params['missingProperty']}\` is missing` };
  const expected = parentSchema?.['errorMessage'];
  if (typeof expected === 'string') return { path, message: `${expected}, not ${shown(error.data)}` };
  return { path, ...plainMessage(error) };
}

function plainMessage(error: ErrorObject): { message: string; hint?: string } {
  const { keyword, params, data } = error;
  switch (keyword) {
    case 'type':
      return { message: `must be ${typeNames[String(params['type'])] ?? params['type']}, not ${shown(data)}` };
    case 'const':
      return { message: `must be ${shown(params['allowedValue'])}, not ${shown(data)}` };
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map(String);
      const meant = typeof data === 'string' ? nearest(data, allowed) : undefined;
      const message = `must be one of ${allowed.join(', ')}, not ${shown(data)}`;
      if (!meant && allowed.length === 1) return { message, hint: `write \`${allowed[0]}\`` };
      return { message, ...(meant ? { hint: `did you mean \`${meant}\`?` } : {}) };
    }
    case 'pattern':
      return { message: `${shown(data)} does not match ${params['pattern']}` };
    default:
      return { message: `${error.message ?? keyword} (${shown(data)})` };
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
};

/** A value as a short piece of a sentence. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Steps of a JSON pointer. Digits are indexes: a map with such a key is found by its text all the same. */
function splitPointer(pointer: string): Path {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((step) =>
      /^(0|[1-9][0-9]{0,8})$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~'),
    );
}
