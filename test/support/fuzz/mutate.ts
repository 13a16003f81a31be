/** Small changes of what is good: of a value, and of a text. */
import type { Dice } from './random.ts';
import { anything, fromEntries, hostileKeys, someText } from './values.ts';

/** A copy with one to four changes somewhere in it. */
export function mutateValue(value: unknown, dice: Dice): unknown {
  let mutated = value;
  for (let times = 1 + dice.upTo(4); times > 0; times -= 1) mutated = changeSomewhere(mutated, dice);
  return mutated;
}

function changeSomewhere(value: unknown, dice: Dice): unknown {
  if (typeof value !== 'object' || value === null || dice.chance(0.15)) return changed(value, dice);
  if (Array.isArray(value)) {
    if (value.length === 0) return [anything(dice)];
    const at = dice.upTo(value.length);
    const kind = dice.upTo(6);
    if (kind === 0) return value.toSpliced(at, 1);
    if (kind === 1) return value.toSpliced(at, 0, value[at]);
    return value.map((item, index) => (index === at ? changeSomewhere(item, dice) : item));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return fromEntries([[dice.pick(hostileKeys), anything(dice)]]);
  const at = dice.upTo(entries.length);
  const [key = '', member] = entries[at] ?? [];
  const kind = dice.upTo(8);
  if (kind === 0) return fromEntries(entries.toSpliced(at, 1));
  if (kind === 1) return fromEntries([...entries, [dice.pick(hostileKeys), member]]);
  if (kind === 2)
    return fromEntries(entries.with(at, [dice.pick([key.toUpperCase(), `${key}s`, key.slice(1)]), member]));
  return fromEntries(entries.with(at, [key, changeSomewhere(member, dice)]));
}

function changed(value: unknown, dice: Dice): unknown {
  const kind = dice.upTo(5);
  if (kind === 0) return [value];
  if (kind === 1) return { [someText(dice)]: value };
  if (kind === 2 && typeof value === 'number')
    return dice.pick([-value, value + 1, value * 1e6, String(value), value / 3]);
  if (kind === 2 && typeof value === 'string') return mutateText(value, dice);
  return anything(dice);
}

const tokens: readonly string[] = [
  ...[
    ': ',
    '- ',
    '\n',
    '  ',
    '\t',
    '{',
    '}',
    '[',
    ']',
    ',',
    '&a ',
    '*a',
    '<<: *a',
    '!!js/function ',
    '!x ',
    '| \n',
    '>-\n',
    '?',
  ],
  ...[
    '"',
    "'",
    '#',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '~',
    'null',
    '.inf',
    '0x1f',
    '1e999',
    '\u2028',
    '\ufeff',
    '\0',
    '\r',
  ],
  ...[
    'applications:',
    'sla_version: v2.0',
    'microservices:',
    'code: a',
    '__proto__: {polluted: 1}',
    'constructor:',
    'host:',
  ],
];

/** Cuts, doubles, swaps and soils. */
export function mutateText(text: string, dice: Dice): string {
  let mutated = text;
  for (let times = 1 + dice.upTo(5); times > 0; times -= 1) {
    const from = dice.upTo(mutated.length + 1);
    const to = Math.min(mutated.length, from + dice.upTo(dice.pick([2, 20, 200])));
    const [head, piece, tail] = [mutated.slice(0, from), mutated.slice(from, to), mutated.slice(to)];
    const kind = dice.upTo(6);
    if (kind === 0) mutated = head + tail;
    else if (kind === 1) mutated = head + piece + piece + tail;
    else if (kind === 2) mutated = head + dice.pick(tokens) + piece + tail;
    else if (kind === 3) mutated = head + someText(dice) + tail;
    else if (kind === 4) mutated = head + [...piece].reverse().join('') + tail;
    else
      mutated = dice.chance(0.2)
        ? head
        : head + piece.replaceAll(/\S/g, (sign) => (dice.chance(0.1) ? '0' : sign)) + tail;
  }
  return mutated;
}

/** No sentence at all. */
export function tokenSoup(dice: Dice): string {
  return Array.from({ length: 1 + dice.upTo(40) }, () => (dice.chance(0.7) ? dice.pick(tokens) : someText(dice))).join(
    '',
  );
}

/** A value as JSON on a wire: as it is, changed, or soiled on the way. */
export function onTheWire(value: unknown, dice: Dice): string {
  const text = JSON.stringify(dice.chance(0.3) ? mutateValue(value, dice) : value);
  return dice.chance(0.1) ? mutateText(text, dice) : text;
}

/** The value with whole characters only: what no parser lets in never gets as far as this. */
export function wellFormed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/\\ud[89a-f][0-9a-f]{2}/g, '?'));
}
