import type { Files } from '../../schemas/ports.ts';

/** Files in memory; `content` is there to be looked at and damaged by tests. */
export interface MemoryFiles extends Files {
  readonly content: Map<string, string>;
}

export function createMemoryFiles(content = new Map<string, string>()): MemoryFiles {
  return {
    content,
    read: (name) => Promise.resolve(content.get(name)),
    write: (name, text) => Promise.resolve(void content.set(name, text)),
    remove: (name) => Promise.resolve(void content.delete(name)),
    list: () => Promise.resolve([...content.keys()].sort()),
  };
}
