/** Values that a schema takes, and with some wildness values that it nearly takes. */
import type { Dice } from './random.ts';
import { anything, fitting, fromEntries, hostileKeys, someNumber, someText, texts } from './values.ts';

/** The part of JSON Schema that our schemas use. */
interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

export interface Mood {
  /** Probability that something is not what the schema says. */
  readonly wildness: number;
  /** Probability that an optional member is there. */
  readonly richness: number;
  /** How many more values the case may have: wild lists of wild lists know no end. */
  readonly budget?: { left: number };
}

/** A mood for a case: many are well-behaved, so that what lies behind the schema is reached too. */
export function someMood(dice: Dice): Mood {
  return {
    wildness: dice.pick([0, 0, 0.01, 0.05, 0.3]),
    richness: dice.pick([0, 0.1, 0.3, 0.7, 1]),
    budget: { left: 500 },
  };
}

export function fromSchema(schema: object, dice: Dice, mood: Mood, key = ''): unknown {
  const shape = schema as Shape;
  if (mood.budget) {
    mood.budget.left -= 1;
    if (mood.budget.left < 0) return null;
  }
  if (dice.chance(mood.wildness)) return anything(dice);
  if ('const' in shape) return shape.const;
  if (shape.enum) return dice.pick(shape.enum);
  if (shape.anyOf) return fromSchema(dice.pick(shape.anyOf), dice, mood, key);
  switch (shape.type) {
    case 'object':
      return objectOf(shape, dice, mood);
    case 'array':
      return listOf(shape, dice, mood, key);
    case 'string':
      return textOf(shape, dice, key);
    case 'integer':
      return Math.trunc(numberOf(shape, dice));
    case 'number':
      return numberOf(shape, dice);
    case 'boolean':
      return dice.chance(0.5);
    case 'null':
      return null;
    default:
      return anything(dice);
  }
}

function objectOf(shape: Shape, dice: Dice, mood: Mood): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const [key, member] of Object.entries(shape.properties ?? {})) {
    // What takes anything is mostly refused by its mere presence.
    const richness = member.type || member.anyOf || member.enum ? mood.richness : mood.richness / 10;
    const isThere = shape.required?.includes(key) ? !dice.chance(mood.wildness) : dice.chance(richness);
    if (isThere) entries.push([key, fromSchema(member, dice, mood, key)]);
  }
  for (const [pattern, member] of Object.entries(shape.patternProperties ?? {}))
    for (let count = dice.upTo(4); count > 0; count -= 1)
      entries.push([matching(pattern, dice), fromSchema(member, dice, mood)]);
  if (dice.chance(mood.wildness)) entries.push([dice.pick(hostileKeys), anything(dice)]);
  return fromEntries(entries);
}

function listOf(shape: Shape, dice: Dice, mood: Mood, key: string): unknown[] {
  const least = shape.minItems ?? 0;
  const length = dice.chance(mood.wildness) ? dice.pick([0, 40]) : Math.max(least, dice.pick([0, 1, 1, 1, 2, 3]));
  return Array.from({ length }, () => fromSchema(shape.items ?? {}, dice, mood, key));
}

function textOf({ pattern, minLength = 0, maxLength = 1e6 }: Shape, dice: Dice, key: string): string {
  const fits = fitting[key];
  const free = fits && dice.chance(0.9) ? dice.pick(fits) : someText(dice);
  const text = pattern === undefined ? free : matching(pattern, dice);
  return text.length >= minLength && text.length <= maxLength ? text : 'x'.repeat(Math.max(1, minLength));
}

function numberOf({ minimum, maximum, exclusiveMinimum }: Shape, dice: Dice): number {
  const [low, high] = [minimum ?? exclusiveMinimum ?? Number.NEGATIVE_INFINITY, maximum ?? Number.POSITIVE_INFINITY];
  const found = someNumber(dice);
  if (found >= low && found <= high && found !== exclusiveMinimum) return found;
  return Number.isFinite(low) ? low + 1 + dice.upTo(Math.max(1, Math.min(10, high - low - 1))) : 1;
}

const known = new Map<string, readonly string[]>();

/** A text of the pool that the pattern takes. */
function matching(pattern: string, dice: Dice): string {
  let list = known.get(pattern);
  if (!list) {
    const found = new RegExp(pattern, 'u');
    list = texts.filter((text) => found.test(text));
    if (list.length === 0) list = [''];
    known.set(pattern, list);
  }
  return dice.pick(list);
}
