/** Objects of git written byte by byte: also those that no git would make. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

/** An entry of a tree as it is written, whatever it says. */
export interface RawEntry {
  readonly mode: string;
  readonly name: string | Buffer;
  readonly id: string;
}

export interface RawGit {
  blob(content: string | Buffer): string;
  /** Entries are sorted as git wants them. */
  tree(entries: readonly RawEntry[]): string;
  commit(tree: string, parents: readonly string[], message?: string): string;
  setBranch(name: string, commit: string): void;
}

/** Writes into a bare repository that is there. */
export function writeRawGit(folder: string): RawGit {
  const write = (kind: string, content: Buffer): string => {
    const whole = Buffer.concat([Buffer.from(`${kind} ${content.length}\0`), content]);
    const id = createHash('sha1').update(whole).digest('hex');
    const below = join(folder, 'objects', id.slice(0, 2));
    const file = join(below, id.slice(2));
    if (existsSync(file)) return id;
    mkdirSync(below, { recursive: true });
    writeFileSync(file, deflateSync(whole, { level: 1 }));
    return id;
  };
  return {
    blob: (content) => write('blob', Buffer.from(content)),
    tree(entries) {
      const keyOf = ({ mode, name }: RawEntry): Buffer =>
        Buffer.concat([Buffer.from(name), Buffer.from(/^0?40000$/.test(mode) ? '/' : '')]);
      const sorted = [...entries].sort((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
      const lines = sorted.map(({ mode, name, id }) =>
        Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(id, 'hex')]),
      );
      return write('tree', Buffer.concat(lines));
    },
    commit(tree, parents, message = 'change') {
      const who = 'Test <test@example.org> 1700000000 +0000';
      const lines = [
        `tree ${tree}`,
        ...parents.map((parent) => `parent ${parent}`),
        `author ${who}`,
        `committer ${who}`,
      ];
      return write('commit', Buffer.from(`${lines.join('\n')}\n\n${message}\n`));
    },
    setBranch(name, commit) {
      const file = join(folder, 'refs', 'heads', name);
      writeFileSync(file, `${commit}\n`);
    },
  };
}
