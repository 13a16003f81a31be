/** Which files of a source count, and as what. */
import { looksLikeDescriptor } from './descriptor-marks.ts';
import type { Problem } from './problem.ts';
import { looksLikeSops } from './sops.ts';
import { parseYaml } from './yaml.ts';
import { yamlLimits } from './yaml-scan.ts';

export type FileClass =
  | { readonly kind: 'descriptor' | 'nodes' | 'settings' | 'ignored' }
  /** It may have been meant as a descriptor, and cannot be read: nothing of its source is removed meanwhile. */
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const ignored: FileClass = { kind: 'ignored' };

/** True when a file can count at all, by its path: worth reading its text. */
export function mayCount(path: string): boolean {
  const steps = path.split('/');
  if (steps.slice(0, -1).some((step) => step.startsWith('.'))) return false;
  const name = steps.at(-1) ?? '';
  return !name.startsWith('.') && /\.(ya?ml|json)$/i.test(name);
}

/**
 * Class of a file; `path` is relative to the folder that is read, where nodes.yaml and oakctl.yaml count. A descriptor with a
 * misspelt mark (`sla_versoin`) is a descriptor, and fails as one.
 */
export function classifyFile(path: string, text: string): FileClass {
  if (!mayCount(path)) return ignored;
  if (path === 'nodes.yaml') return { kind: 'nodes' };
  if (path === 'oakctl.yaml') return { kind: 'settings' };
  // A secret: encrypted values, and nothing that is run.
  if (looksLikeSops(text)) return ignored;
  if (text.length > yamlLimits.bytes && !mentionsDescriptor(text)) return ignored;
  const { documents, problems } = parseYaml(text, path);
  if (problems.length > 0) return { kind: 'invalid', problems };
  return documents.some(({ value }) => looksLikeDescriptor(value)) ? { kind: 'descriptor' } : ignored;
}

/** Lock files and data sets are longer than any descriptor may be, and hold none of its words. */
function mentionsDescriptor(text: string): boolean {
  return ['sla_ver', 'microservice', 'application_name'].some((word) => text.includes(word));
}
