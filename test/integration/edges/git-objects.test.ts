import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGitRunner, mirrorEnvironment, type RunGit } from '../../../reconciler/git/command.ts';
import { createMirror, mirrorOf } from '../../../reconciler/git/mirror.ts';
import { createObjectReader, type ObjectReader } from '../../../reconciler/git/object-reader.ts';
import { createTreeReader } from '../../../reconciler/git/tree-reader.ts';

const signal = new AbortController().signal;
/** As a git that is too old: everything is asked for one by one. */
const silent: ObjectReader = { ask: async () => undefined, has: async () => undefined, end: () => undefined };

let folder: string;
let reader: ObjectReader;
const git = (args: readonly string[], input = ''): string =>
  execFileSync('git', ['-C', mirrorOf(folder), ...args], { input })
    .toString()
    .trim();
const mirrorBy = (by: ObjectReader) => createMirror(folder, 'file:///nowhere', createGitRunner(folder), by);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-objects-'));
  execFileSync('git', ['init', '--quiet', '--bare', mirrorOf(folder)]);
  reader = createObjectReader({ folder, env: () => mirrorEnvironment(folder, mirrorOf(folder)) });
});
afterEach(async () => {
  reader.end();
  await rm(folder, { recursive: true, force: true });
});

const names = ['a.yaml', 'b', 'b.yaml', 'b0', 'ä.yaml', '😀', '\u{ff21}', 'with space', 'x'];
const step = fc.constantFrom(...names);
const path = fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('/'));
const change = fc.record({
  path,
  mode: fc.constantFrom('100644', '100755', '120000', 'remove'),
  text: fc.constantFrom('', 'one', 'two', 'ä\n'),
});
const message = fc.constantFrom(
  'one line',
  'a subject\nof two lines\n\nand a body',
  '\n\n  indented ',
  '',
  'ä 😀\n \nbody',
);

describe('objects of a mirror', () => {
  it('are by one process, folder by folder, what git itself lists and shows, after any commits', async () => {
    const commits = fc.array(fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 5 }), message }), {
      minLength: 2,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(commits, async (history) => {
        const quick = createTreeReader(reader);
        const slow = mirrorBy(silent);
        let parent: string | undefined;
        for (const one of history) {
          const from = parent === undefined ? '' : `from ${parent}\n`;
          const bytes = Buffer.byteLength(one.message);
          const lines = one.changes.map(({ path: at, mode, text }) => {
            const quoted = JSON.stringify(at);
            if (mode === 'remove') return `D ${quoted}\n`;
            return `M ${mode} inline ${quoted}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
          });
          const head = `reset refs/heads/main\n${from}\ncommit refs/heads/main\nauthor Ä B <a@b> 1700000000 +0100\n`;
          const committed = `committer C <c@d> 1700000000 +0000\ndata ${bytes}\n${one.message}\n${from}`;
          git(['fast-import', '--quiet', '--force'], `${head}${committed}${lines.join('')}\n`);
          const commit = git(['rev-parse', 'refs/heads/main']);
          const listed = await slow.tree(commit, '', signal);
          expect(await quick.files(commit, '', signal)).toEqual(listed.ok && listed.value.entries);
          const below = await slow.tree(commit, 'b', signal);
          const found = await quick.files(commit, 'b', signal);
          // A path that is no folder is for git to judge.
          if (found) expect(found).toEqual(below.ok && below.value.entries);
          const shown = execFileSync('git', ['-C', mirrorOf(folder), 'show', '-s', '--format=%an%x00%s%x00%P', commit]);
          const said = await quick.commit(commit, signal);
          expect(`${said?.author}\0${said?.subject}\0${said?.parents.join(' ')}\n`).toBe(shown.toString());
          parent = commit;
        }
      }),
      { numRuns: 3 },
    );
  });

  it('that are not there, are damaged, or came since the last question are found out', async () => {
    const blob = git(['hash-object', '-w', '--stdin'], 'text');
    const absent = 'f'.repeat(40);
    expect(await reader.ask([blob], 'info', signal)).toMatchObject([{ kind: 'blob', size: 4 }]);
    expect(await reader.ask([blob, absent], 'contents', signal)).toBeUndefined();
    const later = git(['hash-object', '-w', '--stdin'], 'later\n');
    const contents = (await reader.ask([later, blob], 'contents', signal))?.map(({ content }) => content.toString());
    expect(contents).toEqual(['later\n', 'text']);
    // What is no name of an object is no question.
    expect(await reader.ask(['HEAD\ncontents HEAD'], 'info', signal)).toBeUndefined();
    await rm(join(mirrorOf(folder), 'objects', later.slice(0, 2)), { recursive: true });
    reader.end();
    expect(await reader.ask([later], 'info', signal)).toBeUndefined();
    expect(await reader.ask([blob], 'info', signal)).toMatchObject([{ size: 4 }]);
  });

  it('are there or not by the word of one process, of which no second one is asked', async () => {
    const commit = git(['commit-tree', '-m', 'one', git(['mktree'])]);
    const asked: string[][] = [];
    const run: RunGit = (given, ...rest) => {
      asked.push([...given.args]);
      return createGitRunner(folder)(given, ...rest);
    };
    const mirror = createMirror(folder, 'file:///nowhere', run, reader);
    expect(await mirror.has(commit, signal)).toBe(true);
    expect(await mirror.has('f'.repeat(40), signal)).toBe(false);
    const later = git(['commit-tree', '-m', 'two', git(['mktree'])]);
    expect(await mirror.has(later, signal)).toBe(true);
    expect(asked).toEqual([]);
    // Where it says nothing, git is asked.
    const other = createMirror(folder, 'file:///nowhere', run, silent);
    expect(await other.has(commit, signal)).toBe(true);
    expect(await other.has('f'.repeat(40), signal)).toBe(false);
    expect(asked).toHaveLength(2);
  });

  it('are not waited for by who gave up, and are there for the next', async () => {
    const blob = git(['hash-object', '-w', '--stdin'], 'text');
    const abort = new AbortController();
    const asked = reader.ask([blob], 'contents', abort.signal);
    abort.abort(new Error('gave up'));
    await expect(asked).rejects.toThrow('gave up');
    expect(await reader.ask([blob], 'info', signal)).toMatchObject([{ size: 4 }]);
  });
});
