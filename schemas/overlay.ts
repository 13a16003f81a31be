/**
 * Overlays: a document in `clusters/<name>/` with `patch: common/app.yaml` says how that descriptor differs in one cluster. Maps are
 * merged, applications, services and variables by their names; every other value is replaced, and `null` takes one away. The result
 * stands in the place of both, and knows of each value in which file it was written.
 */
import { descriptorDefaults } from './descriptor-parsed.ts';
import { besideClusters } from './selection.ts';
import { nearest } from './spelling.ts';
import { maxProblems, type Path, type Place, type YamlDocument } from './yaml.ts';

/** The key that makes a document a patch. */
export const patchKey = 'patch';

/** How a descriptor's file texts name what lies beside the folder `clusters/`. */
export function besideReference(path: string): string {
  return `patch:${path}`;
}

/** The path in such a reference, below the folder that has `clusters/`; undefined for other references. */
export function besideOf(reference: string): string | undefined {
  return reference.startsWith('patch:') ? reference.slice('patch:'.length) : undefined;
}

/** What a document wants to patch; undefined for one that is no patch. */
export function patchOf(value: unknown): unknown {
  return isMap(value) && Object.hasOwn(value, patchKey) ? value[patchKey] : undefined;
}

/** The file that is patched, from the root of the repository, or why it cannot be. */
export function patchedPath(
  patch: unknown,
  file: string,
): { readonly path: string } | { readonly fault: string; readonly hint: string } {
  const hint = '`patch: common/app.yaml`, in a file in clusters/<name>/';
  if (typeof patch !== 'string') return { fault: 'a patch names a file', hint };
  const levels = patch.split('/');
  const isPlain = levels.every((level) => level !== '' && !level.startsWith('.')) && !/[\p{Cc}\p{Cf}\\]/u.test(patch);
  if (!isPlain || levels[0] !== 'common' || !/\.(ya?ml|json)$/i.test(patch)) {
    return { fault: `\`${patch}\` is no descriptor in common/`, hint };
  }
  const path = besideClusters(patch, file);
  return path === undefined ? { fault: 'only a file in clusters/<name>/ can patch another one', hint } : { path };
}

/** Says what is wrong with a patch, at a place in one of its documents. */
export type Report = (place: Place, message: string, hint?: string) => void;

/** A value, and where it was written. Of a merged one `children` know that of themselves. */
interface Piece {
  readonly value: unknown;
  readonly document: YamlDocument;
  readonly path: Path;
  readonly children?: ReadonlyMap<string | number, Piece>;
}

interface Merge {
  readonly report: Report;
  /** Pieces of the patch that something in the base answers to. */
  readonly matched: Set<unknown>;
  readonly budget: Budget;
}

/** How many values may still be looked at. Below 0 it is spent, and what is merged is not to be used. */
export interface Budget {
  left: number;
}

/**
 * The documents of a base with a patch over them. What the patch names and none of them has is reported: nothing is added to a file
 * by a patch but what belongs to a service.
 */
export function patched(
  base: readonly YamlDocument[],
  patch: YamlDocument,
  from: string,
  report: Report,
  budget: Budget,
): readonly YamlDocument[] {
  const merge: Merge = { report, matched: new Set(), budget };
  const { [patchKey]: _patch, ...rest } = patch.value as Record<string, unknown>;
  const over: Piece = { value: rest, document: patch, path: [] };
  const documents = base.map((document) => {
    const whole = merged({ value: document.value, document, path: [] }, over, '', merge);
    return { value: whole.value, locate: (path: Path) => placeIn(whole, path) };
  });
  if (budget.left >= 0) reportUnmatched(base, over, from, merge);
  return documents;
}

function merged(base: Piece, over: Piece, key: string, merge: Merge): Piece {
  merge.budget.left -= membersIn(base.value) + membersIn(over.value);
  if (merge.budget.left < 0) return base;
  if (isMap(base.value) && isMap(over.value)) return mergedMaps(base, over, merge);
  const nameOf = names.get(key);
  if (nameOf && Array.isArray(base.value) && Array.isArray(over.value)) return mergedLists(base, over, nameOf, merge);
  return over;
}

function membersIn(value: unknown): number {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}

function mergedMaps(base: Piece, over: Piece, merge: Merge): Piece {
  const children = new Map<string, Piece>();
  const others = membersOf(over);
  for (const [key, piece] of membersOf(base)) {
    const other = others.get(key);
    if (other?.value === null) continue;
    children.set(key, other ? merged(piece, other, key, merge) : piece);
  }
  for (const [key, piece] of others) if (!children.has(key) && piece.value !== null) children.set(key, piece);
  const value: Record<string, unknown> = Object.create(null);
  for (const [key, piece] of children) value[key] = piece.value;
  return { ...over, value, children };
}

/** Of items with one name the one of the patch counts. Only variables may come in addition. */
function mergedLists(base: Piece, over: Piece, nameOf: NameOf, merge: Merge): Piece {
  const others = itemsOf(over);
  const named = byName(others, nameOf);
  const used = new Set<string>();
  const items = itemsOf(base).map((piece) => {
    const name = nameOf(piece.value);
    const same = name === undefined ? [] : (named.get(name) ?? []);
    const [other, second] = same;
    if (name === undefined || !other) return piece;
    if (!used.has(name)) {
      used.add(name);
      if (second) merge.report(placeIn(second, []), `${name} is there twice`);
      for (const { value } of same) merge.matched.add(value);
    }
    return merged(piece, other, '', merge);
  });
  const known = new Set(items.map(({ value }) => nameOf(value)));
  const more = nameOf === variableOf ? others.filter(({ value }) => !known.has(nameOf(value))) : [];
  const all = [...items, ...more];
  return { ...over, value: all.map(({ value }) => value), children: new Map(all.entries()) };
}

function byName(pieces: readonly Piece[], nameOf: NameOf): ReadonlyMap<string, readonly Piece[]> {
  const found = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const name = nameOf(piece.value);
    if (name === undefined) continue;
    const same = found.get(name);
    if (same) same.push(piece);
    else found.set(name, [piece]);
  }
  return found;
}

type NameOf = (item: unknown) => string | undefined;

const applicationOf: NameOf = (item) => fullName(item, 'application_name', 'application_namespace');
const serviceOf: NameOf = (item) => fullName(item, 'microservice_name', 'microservice_namespace');
const variableOf: NameOf = (item) => (typeof item === 'string' ? item.split('=', 1)[0] : undefined);

/** Lists whose items have names, by their keys. */
const names: ReadonlyMap<string, NameOf> = new Map([
  ['applications', applicationOf],
  ['microservices', serviceOf],
  ['environment', variableOf],
]);

function fullName(item: unknown, name: string, namespace: string): string | undefined {
  if (!isMap(item)) return undefined;
  const own = item[name];
  const space = item[namespace] ?? descriptorDefaults.namespace;
  return typeof own === 'string' && typeof space === 'string' ? `${own}.${space}` : undefined;
}

/** What the patch names and nothing in the base is called. */
interface Unmatched {
  readonly piece: Piece;
  readonly what: 'application' | 'microservice';
  readonly name: string | undefined;
  /** What may be meant. */
  readonly known: () => readonly (string | undefined)[];
}

function reportUnmatched(base: readonly YamlDocument[], over: Piece, from: string, { report, matched }: Merge): void {
  const applications = base.flatMap(({ value }) => listIn(value, 'applications'));
  const servicesOf = (name: string | undefined): readonly unknown[] =>
    applications.filter((one) => applicationOf(one) === name).flatMap((one) => listIn(one, 'microservices'));
  const unmatched = listPieces(over, 'applications').flatMap((piece): readonly Unmatched[] => {
    const name = applicationOf(piece.value);
    if (!matched.has(piece.value))
      return [{ piece, what: 'application', name, known: () => applications.map(applicationOf) }];
    const services = listPieces(piece, 'microservices').filter(({ value }) => !matched.has(value));
    const known = () => servicesOf(name).map(serviceOf);
    return services.map((service) => ({ piece: service, what: 'microservice', name: serviceOf(service.value), known }));
  });
  // What may be meant takes a look at all names.
  for (const one of unmatched.slice(0, maxProblems)) reportUnknown(one, from, report);
}

function reportUnknown({ piece, what, name, known }: Unmatched, from: string, report: Report): void {
  const place = placeIn(piece, []);
  if (name === undefined) {
    report(place, `each ${what} of a patch needs its name`, `${what}_name: ...`);
    return;
  }
  const meant = nearest(
    name,
    known().filter((one) => one !== undefined),
  );
  const hint = meant ? `did you mean \`${meant}\`?` : 'what is new belongs in a descriptor of its own';
  report(place, `${from} has no ${what} ${name}`, hint);
}

/** Of the deepest piece that is known, and from there in its own document. */
function placeIn(piece: Piece, path: Path): Place {
  const [step, ...rest] = path;
  const child = step === undefined ? undefined : piece.children?.get(step);
  return child ? placeIn(child, rest) : piece.document.locate([...piece.path, ...path]);
}

function membersOf({ value, document, path }: Piece): Map<string, Piece> {
  const members = Object.entries(value as Record<string, unknown>);
  return new Map(members.map(([key, member]) => [key, { value: member, document, path: [...path, key] }]));
}

function itemsOf({ value, document, path }: Piece): Piece[] {
  return (value as readonly unknown[]).map((item, index) => ({ value: item, document, path: [...path, index] }));
}

function listPieces(piece: Piece, key: string): Piece[] {
  const list = isMap(piece.value) ? membersOf(piece).get(key) : undefined;
  return list && Array.isArray(list.value) ? itemsOf(list) : [];
}

function listIn(value: unknown, key: string): readonly unknown[] {
  const list = isMap(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
