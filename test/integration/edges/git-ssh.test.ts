import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';
import { type Git, RemoteRefusal } from '../../../reconciler/ports.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import { cloneRepository, type GitRepo, git as runGit } from '../../support/git-repo.ts';
import { type SshServer, serveSsh, sshAnswers } from '../../support/ssh-server.ts';

const signal = new AbortController().signal;

describe.skipIf(!(await sshAnswers()))('a key and known hosts', () => {
  let root: string;
  let server: SshServer;
  let user: GitRepo;
  let made = 0;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'oakctl-git-ssh-'));
    await runGit(root, 'init', '--bare', '--quiet', 'fleet.git');
    user = await cloneRepository(join(root, 'fleet.git'));
    server = await serveSsh(root);
  });
  afterAll(async () => {
    await server.close();
    await rm(root, { recursive: true, force: true });
    await rm(user.folder, { recursive: true, force: true });
  });

  const open = (access = { keyFile: server.key, knownHosts: server.knownHosts }): Git => {
    made += 1;
    const url = `${server.url}${join(root, 'fleet.git')}`;
    const repository = createGitRepository({ name: 'main', url, access, folder: join(root, `mirror-${made}`) });
    return createGitSource({ name: 'main', branch: 'main', repository });
  };
  const refusalOf = async (git: Git): Promise<{ code: string; text: string; isRefusal: boolean }> => {
    const error = await git.head(signal).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    if (!isProblemError(error)) throw new Error(`no problem but ${String(error)}`);
    const { code, message, hint } = error.problem;
    return { code, text: `${message} ${hint}`, isRefusal: error instanceof RemoteRefusal };
  };

  it('reach a repository, alone and with its history', async () => {
    const first = await user.push({ 'a.yaml': '1' });
    await user.push({ 'a.yaml': '2' });
    const last = await user.push({ 'a.yaml': '3' });
    const git = open();
    const head = await git.head(signal);
    expect(head).toBe(last);
    await git.fetch(head, signal);
    const [entry] = await git.tree(head, '', signal);
    expect([...(await git.blobs([entry?.blob ?? ''], signal)).values()]).toEqual(['3']);
    expect(await git.isAncestor(first, head, signal)).toBe(true);
  });

  it('that nobody knows, or that others may read, are refused', async () => {
    const stranger = join(root, 'stranger');
    await writeFile(stranger, 'no key at all\n', { mode: 0o600 });
    const unknown = await refusalOf(open({ keyFile: stranger, knownHosts: server.knownHosts }));
    expect(unknown).toMatchObject({ code: 'SOURCE_DENIED', isRefusal: true });
    expect(unknown.text).toContain('key_file');
    await chmod(server.key, 0o644);
    const readable = await refusalOf(open());
    await chmod(server.key, 0o600);
    expect(readable).toMatchObject({ code: 'SOURCE_DENIED', isRefusal: false });
    expect(readable.text).toContain(`chmod 600 ${server.key}`);
    const trusted = join(root, 'open-hosts');
    await writeFile(trusted, '');
    await chmod(trusted, 0o666);
    expect((await refusalOf(open({ keyFile: server.key, knownHosts: trusted }))).text).toContain('may write it');
  });

  it('say which host is right: another key is refused, and so is a host that is not there', async () => {
    const none = join(root, 'no-hosts');
    await writeFile(none, '', { mode: 0o644 });
    expect((await refusalOf(open({ keyFile: server.key, knownHosts: none }))).code).toBe('SOURCE_DENIED');
    const git = open();
    await git.head(signal);
    await server.changeHost();
    const changed = await refusalOf(git);
    expect(changed).toMatchObject({ code: 'SOURCE_DENIED', isRefusal: true });
    expect(changed.text).toContain('known_hosts');
  });
});
