import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';
import type { Git } from '../../../reconciler/ports.ts';
import { cloneRepository, type GitRepo, git as runGit } from '../../support/git-repo.ts';

const signal = new AbortController().signal;
const exec = promisify(execFile);
let keys: string;
let signers: string;
let remote: string;
let user: GitRepo;
let source: Git;

/** A commit on top of the head, signed by this key; undefined: by nobody. */
async function commit(text: string, key?: string, ...more: string[]): Promise<string> {
  await writeFile(join(user.folder, 'a.yaml'), text);
  await user.git('add', '--all');
  const signed = key === undefined ? [] : ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${join(keys, key)}.pub`];
  await user.git(...signed, 'commit', '--quiet', ...(key === undefined ? [] : ['-S']), '-m', text, ...more);
  return user.git('rev-parse', 'HEAD');
}
const push = (): Promise<string> => user.git('push', '--quiet', '--force', 'origin', 'HEAD:main');
const unsigned = async (head: string, since?: string) => {
  await source.fetch(head, signal);
  if (since !== undefined) await source.isAncestor(since, head, signal);
  return source.unsigned(signers, head, since, signal);
};

beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), 'oakctl-keys-'));
  for (const name of ['ann', 'eve']) {
    await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, name)]);
  }
  signers = join(keys, 'allowed_signers');
  await writeFile(signers, `ann@example.org ${await readFile(join(keys, 'ann.pub'), 'utf8')}`);
});
beforeEach(async () => {
  remote = await mkdtemp(join(keys, 'remote-'));
  await runGit(remote, 'init', '--bare', '--quiet', '.');
  user = await cloneRepository(remote);
  const folder = await mkdtemp(join(keys, 'mirror-'));
  const repository = createGitRepository({ name: 'main', url: `file://${remote}`, folder });
  source = createGitSource({ name: 'main', branch: 'main', repository });
});
afterAll(() => rm(keys, { recursive: true, force: true }));

describe('signatures', () => {
  it('count by keys of the file only, and only as they were made', async () => {
    const good = await commit('1', 'ann');
    const none = await commit('2');
    const foreign = await commit('3', 'eve');
    const text = await user.git('cat-file', 'commit', good);
    const forged = join(keys, 'forged');
    await writeFile(forged, `${text.replace('\n\n1', '\n\n1, and more')}\n`);
    const changed = await user.git('hash-object', '-t', 'commit', '-w', forged);
    await push();
    await user.git('push', '--quiet', 'origin', `${changed}:refs/heads/changed`);
    expect(await unsigned(good)).toEqual([]);
    expect(await unsigned(none)).toEqual([none]);
    expect(await unsigned(foreign)).toEqual([foreign]);
    expect(await unsigned(changed)).toEqual([changed]);
  });

  it('of the head do not speak for what it brings along, those of all do, over merges', async () => {
    const first = await commit('1', 'ann');
    await push();
    expect(await unsigned(first)).toEqual([]);
    await user.git('checkout', '--quiet', '-b', 'side');
    const hidden = await commit('2');
    await user.git('checkout', '--quiet', 'main');
    const key = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${join(keys, 'ann')}.pub`];
    await user.git(...key, 'merge', '--quiet', '--no-ff', '-S', '-m', 'merge', 'side');
    const head = await user.git('rev-parse', 'HEAD');
    await push();
    expect(await unsigned(head)).toEqual([]);
    expect(await unsigned(head, first)).toEqual([hidden]);
    expect(await unsigned(head, head)).toEqual([]);
  });

  it('of a head that was refused are asked again when another one brings it along', async () => {
    const first = await commit('1', 'ann');
    await push();
    expect(await unsigned(first)).toEqual([]);
    const refused = await commit('2');
    await push();
    expect(await unsigned(refused, first)).toEqual([refused]);
    await user.git('checkout', '--quiet', '-b', 'other', first);
    const key = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${join(keys, 'ann')}.pub`];
    await user.git(...key, 'merge', '--quiet', '--no-ff', '-S', '-m', 'merge', refused);
    const head = await user.git('rev-parse', 'HEAD');
    await push();
    expect(await unsigned(head, first)).toEqual([refused]);
  });

  it('of a history that is not there cannot be told, nor of one without an end', async () => {
    await commit('1', 'ann');
    await push();
    const head = await user.git('rev-parse', 'HEAD');
    expect(await unsigned(head, 'f'.repeat(40))).toBeUndefined();
  });

  it('are not read where anybody may write the file, or where it is not there', async () => {
    const head = await commit('1', 'ann');
    await push();
    await source.fetch(head, signal);
    await expect(source.unsigned(join(keys, 'none'), head, undefined, signal)).rejects.toThrow(/signers/);
    const open = join(keys, 'open');
    await writeFile(open, await readFile(signers, 'utf8'));
    await chmod(open, 0o666);
    await expect(source.unsigned(open, head, undefined, signal)).rejects.toThrow(/signers/);
  });
});
