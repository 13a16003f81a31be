/** The documents of a descriptor file as they hold in its cluster: patches (overlay.ts) are put over what they patch. */
import type { FileTexts } from './descriptor-files.ts';
import { looksLikeDescriptor } from './descriptor-marks.ts';
import { besideReference, patched, patchedPath, patchKey, patchOf } from './overlay.ts';
import { type Problem, problem } from './problem.ts';
import { type Path, type Place, parseYaml, type YamlDocument } from './yaml.ts';

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
  const report = (place: Place, message: string, hint?: string): void => {
    problems.push(problem('DESCRIPTOR_INVALID', message, { file, ...place, ...(hint ? { hint } : {}) }));
  };
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
    bases.set(found.path, base.length > 0 ? patched(base, document, named, report) : base);
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
