/** What makes a document a descriptor. */
import { editDistance } from './spelling.ts';

/** True for a map with `sla_version` or `applications`, or a key so like them that it must have been meant. */
export function looksLikeDescriptor(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const marks = ['sla_version', 'applications'];
  return Object.keys(value).some((key) => marks.some((mark) => editDistance(key.toLowerCase(), mark, 2) <= 2));
}
