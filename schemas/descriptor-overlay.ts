/** The documents of a descriptor file as they hold in its cluster: patches (overlay.ts) are put over what they patch. */
import type { FileTexts } from './descriptor-files.ts';
import { looksLikeDescriptor } from './descriptor-marks.ts';
import { type Budget, besideReference, patched, patchedPath, patchKey, patchOf, type Report } from './overlay.ts';
import { type Problem, problem } from './problem.ts';
import { maxProblems, type Path, parseYaml, type YamlDocument } from './yaml.ts';
import { yamlLimits } from './yaml-scan.ts';

export interface Overlaid {
  /** What has to be read as a descriptor. Places in them name their file where it is another one. */
  readonly documents: readonly YamlDocument[];
  readonly problems: readonly Problem[];
  /** What has to be among the texts to put the patches over it. */
  readonly references: readonly string[];
  /** Files in whose place this one stands, from the root of the repository. */
  readonly patches: readonly string[];
}

/** Never throws. `texts`: what was found of the references. */
export function overlaid(documents: readonly YamlDocument[], file: string, texts: FileTexts): Overlaid {
  const problems: Problem[] = [];
  const bases = new Map<string, readonly YamlDocument[]>();
  const plain: YamlDocument[] = [];
  const references = new Set<string>();
  const report: Report = (place, message, hint) => {
    if (problems.length >= maxProblems) return;
    problems.push(problem('DESCRIPTOR_INVALID', message, { file, ...place, ...(hint ? { hint } : {}) }));
  };
  const lay = createLayers(problems, report);
  for (const document of documents) {
    const patch = patchOf(document.value);
    if (patch === undefined) {
      plain.push(document);
      continue;
    }
    const place = document.locate([patchKey]);
    const found = patchedPath(patch, file);
    if ('fault' in found) {
      report(place, found.fault, found.hint);
      continue;
    }
    const named = patch as string;
    references.add(besideReference(named));
    const base =
      bases.get(found.path) ??
      baseOf(named, found.path, texts, problems, () => {
        report(place, `there is no file ${named} of at most 256 KiB`, 'it is looked for beside the folder clusters/');
      });
    bases.set(found.path, lay(base, document, named));
  }
  return {
    documents: [...plain, ...[...bases.values()].flat()],
    problems,
    references: [...references],
    patches: [...bases.keys()],
  };
}

/** The descriptors of a patched file. Empty when there is a problem. */
function baseOf(
  named: string,
  path: string,
  texts: FileTexts,
  problems: Problem[],
  reportAbsent: () => void,
): readonly YamlDocument[] {
  const reference = besideReference(named);
  const text = Object.hasOwn(texts, reference) ? texts[reference] : undefined;
  if (text === undefined) {
    reportAbsent();
    return [];
  }
  const parsed = parseYaml(text, path);
  problems.push(...parsed.problems);
  const documents = parsed.documents.filter(({ value }) => looksLikeDescriptor(value));
  const strange = documents.find(({ value }) => patchOf(value) !== undefined);
  if (strange) {
    const { line } = strange.locate([patchKey]);
    problems.push(problem('DESCRIPTOR_INVALID', 'what is patched cannot be a patch', { file: path, line }));
    return [];
  }
  if (documents.length === 0 && parsed.problems.length === 0) {
    problems.push(problem('DESCRIPTOR_INVALID', 'no document in here is a descriptor', { file: path, line: 1 }));
  }
  const folder = named.slice(0, named.lastIndexOf('/') + 1);
  return documents.map((document) => ({
    value: anchored(document.value, folder),
    locate: (at: Path) => ({ ...document.locate(at), file: path }),
  }));
}

/** Most patches in one file: each is laid over all that those before it made. */
const mostPatches = 100;
/** Most values that are looked at to lay the patches of one file: names that are there often would multiply what is small. */
const mostWork = 4 * yamlLimits.nodes;

type Lay = (base: readonly YamlDocument[], patch: YamlDocument, named: string) => readonly YamlDocument[];

/** Lays the patches of one file, one after the other, as long as there is neither too much of it nor enough said. */
function createLayers(problems: readonly Problem[], report: Report): Lay {
  const budget: Budget = { left: mostWork };
  let patches = 0;
  return (base, patch, named) => {
    const place = patch.locate([patchKey]);
    patches += 1;
    if (patches === mostPatches + 1) report(place, `there are more than ${mostPatches} patches in one file`);
    if (patches > mostPatches || base.length === 0 || problems.length >= maxProblems) return base;
    const whole = patched(base, patch, named, report, budget);
    const values = whole.map(({ value }) => value);
    if (budget.left >= 0 && sizeOf(values, yamlLimits.nodes) <= yamlLimits.nodes) return whole;
    const hint = `at most ${yamlLimits.nodes} values; is a name there more than once?`;
    report(place, `with its patch there is too much in ${named}`, hint);
    return [];
  };
}

/** How many values are in this one, itself included; no further than to say that they are more than `most`. */
function sizeOf(value: unknown, most: number): number {
  let size = 1;
  if (typeof value !== 'object' || value === null) return size;
  for (const member of Object.values(value)) {
    if (size > most) break;
    size += sizeOf(member, most - size);
  }
  return size;
}

/** What a base takes from beside itself (`from: ./x`) is named so that it is found from where the patch lies. */
function anchored(value: unknown, folder: string, key = ''): unknown {
  if (key === 'from' && typeof value === 'string' && value.startsWith('./')) {
    return besideReference(`${folder}${value.slice(2)}`);
  }
  if (Array.isArray(value)) return value.map((item) => anchored(item, folder));
  if (typeof value !== 'object' || value === null) return value;
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, member] of Object.entries(value)) object[name] = anchored(member, folder, name);
  return object;
}
