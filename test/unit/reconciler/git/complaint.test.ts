import { describe, expect, it } from 'vitest';
import { isPushRefusal, meaningOf, receivedBytes, retryAfter } from '../../../../reconciler/git/complaint.ts';
import { createHistory } from '../../../../reconciler/git/history.ts';
import { parseHeaders } from '../../../../reconciler/git/objects.ts';

describe('what git complains about', () => {
  it.each([
    ["fatal: unable to access 'https://x/': The requested URL returned error: 403", 'denied'],
    ["fatal: Authentication failed for 'https://x/'", 'denied'],
    ['Host key verification failed.; fatal: Could not read from remote repository.', 'denied'],
    ['git@example.org: Permission denied (publickey).', 'denied'],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 429", 'limited'],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 500", 'other'],
    ['fatal: dumb http transport does not support shallow capabilities', 'shallow'],
    ['fatal: write error: No space left on device', 'disk'],
    ['fatal: remote error: upload-pack: not our ref e3', 'unknown_commit'],
  ])('%s', (complaint, meaning) => {
    expect(meaningOf(complaint)).toBe(meaning);
  });

  it('counts what came, and reads how long a server wants to be left alone', () => {
    expect(
      receivedBytes('Receiving objects:  10% (1/10), 1.50 MiB | 1 MiB/s\rReceiving objects:  20% (2/10), 2.00 MiB'),
    ).toBe(2 * 1024 * 1024);
    expect(receivedBytes('remote: Counting objects: 100%')).toBe(0);
    const trace = (value: string) => `12:00 http.c:1 <= Recv header: Retry-After: ${value}\n`;
    expect(retryAfter(trace('30'), 0)).toBe(30_000);
    expect(retryAfter(trace('Thu, 01 Jan 1970 00:01:00 GMT'), 20_000)).toBe(40_000);
    expect(retryAfter(trace('999999999'), 0)).toBe(3_600_000);
    expect(retryAfter(trace('soon'), 0)).toBeUndefined();
    expect(retryAfter('', 0)).toBeUndefined();
  });
});

it.each([
  ['! [remote rejected] 1a2b -> refs/oakctl/status/home (pre-receive hook declined)', true],
  ['! [remote rejected] 1a2b -> refs/oakctl/status/home (deny updating a hidden ref)', true],
  ['! [rejected]        1a2b -> refs/oakctl/status/home (non-fast-forward)', true],
  ['remote: GitLab: You are not allowed to push code to this project.', true],
  ['ERROR: The key you are authenticating with has been marked as read only.', true],
  ['ERROR: Permission to example/fleet.git denied to ann.', true],
  ['error: insufficient permission for adding an object to repository database ./objects', true],
  ["fatal: unable to access 'https://x/': Could not resolve host: x", false],
  ['ssh: connect to host x port 22: Connection refused; fatal: Could not read from remote repository.', false],
  ["fatal: '/srv/fleet.git' does not appear to be a git repository", false],
])('a push that was answered by %j was refused: %s', (complaint, isRefused) => {
  expect(isPushRefusal(complaint)).toBe(isRefused);
});

describe('descent', () => {
  const all: Record<string, string[]> = { e: ['d', 'x'], d: ['c'], c: ['b'], b: ['a'], a: [], x: ['w'] };
  const there = (...ids: string[]) => {
    return async (wanted: readonly string[]) =>
      new Map(wanted.filter((id) => ids.includes(id)).map((id) => [id, all[id] ?? []]));
  };

  it('follows the parents that commits name', async () => {
    expect(await createHistory().descent('d', 'e', there('e'))).toBe('descends');
    expect(await createHistory().descent('w', 'e', there('e', 'x'))).toBe('descends');
    expect(await createHistory().descent('a', 'e', there('e', 'd', 'x'))).toBe('missing');
    expect(await createHistory().descent('e', 'd', there('d', 'c', 'b', 'a'))).toBe('apart');
  });

  it('reads no commit twice', async () => {
    const history = createHistory();
    await history.descent('a', 'd', there('d', 'c', 'b', 'a'));
    const never = async (): Promise<never> => Promise.reject(new Error('read again'));
    expect(await history.descent('b', 'd', never)).toBe('descends');
  });

  it('takes a parent from the head of a commit only, and nothing from one that is cut short', () => {
    const text = `one\ntree t\nparent p\nauthor A\n\n    parent q\n\0two\ntree t\nparent r\n\n    m\n\0three\ntree t\npar`;
    expect([...parseHeaders(Buffer.from(text))]).toEqual([
      ['one', ['p']],
      ['two', ['r']],
    ]);
  });
});
