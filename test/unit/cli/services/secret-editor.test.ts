import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEditor } from '../../../../cli/services/secret-editor.ts';

let memory: string;
let scripts: string;
beforeEach(async () => {
  memory = await mkdtemp('/dev/shm/oakctl-editor-');
  scripts = await mkdtemp(join(tmpdir(), 'oakctl-editor-'));
});
afterEach(async () => {
  for (const folder of [memory, scripts]) await rm(folder, { recursive: true, force: true });
});

const editor = async (body: string, signal = new AbortController().signal) => {
  const program = join(scripts, 'editor');
  await writeFile(program, `#!/bin/sh\n${body}\n`);
  await chmod(program, 0o755);
  return createEditor({ env: { EDITOR: `${program} --wait` }, folders: [memory] }, signal);
};

describe('an editor on a secret', () => {
  it('has it in a file of its owner alone, in memory, which is gone afterwards', async () => {
    const seen = join(scripts, 'seen');
    const open = await editor(
      `stat -c '%a %n' "$2" "$(dirname "$2")" > ${seen}; cat "$2" >> ${seen}; echo "$1" > "$2"; touch "$2.swp"`,
    );
    expect(await open('db.yaml', 'hunter2')).toBe('--wait\n');
    const [file = '', folder = '', text] = (await readFile(seen, 'utf8')).split('\n');
    expect(file).toMatch(/^600 \/dev\/shm\/.*\/db\.yaml$/);
    expect(folder).toMatch(/^700 /);
    expect(text).toBe('hunter2');
    expect(readdirSync(memory)).toEqual([]);
  });

  it('is not vi where there is no terminal, which would wait for ever', () => {
    const { signal } = new AbortController();
    const create = (env: Record<string, string>, isTerminal: boolean) => () => {
      createEditor({ env, folders: [memory], isTerminal }, signal);
    };
    expect(create({}, false)).toThrow(/USAGE.*no terminal/);
    expect(create({}, true)).not.toThrow();
    expect(create({ EDITOR: 'sed -i s/a/b/' }, false)).not.toThrow();
  });

  it('that fails, or leaves nothing, has changed nothing, and leaves nothing there', async () => {
    await expect((await editor('exit 3'))('db', 'x')).rejects.toThrow(/REFUSED.*ended with 3/);
    await expect((await editor('rm "$2"'))('db', 'x')).rejects.toThrow(/REFUSED.*no file/);
    await expect((await editor(`printf '\\377' > "$2"`))('db', 'x')).rejects.toThrow(/USAGE.*UTF-8/);
    expect(readdirSync(memory)).toEqual([]);
  });

  it('goes with the command that is ended', async () => {
    const abort = new AbortController();
    const started = join(scripts, 'started');
    const open = await editor(`touch ${started}; exec sleep 5`, abort.signal);
    const edited = open('db', 'x');
    const ended = expect(edited).rejects.toThrow();
    await expect.poll(() => existsSync(started)).toBe(true);
    abort.abort();
    await ended;
    expect(readdirSync(memory)).toEqual([]);
  });

  it('takes away what a killed one left, and nothing of one that lives', async () => {
    const dead = join(memory, 'edit-99999999-ab');
    const alive = join(memory, `edit-${process.ppid}-cd`);
    for (const folder of [dead, alive]) await mkdir(folder);
    await (await editor('true'))('db', 'x');
    expect(readdirSync(memory)).toEqual([`edit-${process.ppid}-cd`]);
  });

  it('has no file where no memory is', async () => {
    const signal = new AbortController().signal;
    const open = createEditor({ env: { EDITOR: 'true' }, folders: [scripts] }, signal);
    await expect(open('db', 'x')).rejects.toThrow(/SECRET_NO_MEMORY.*is on a disk/);
    expect(readdirSync(scripts)).toEqual([]);
  });
});
