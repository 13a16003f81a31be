import { expect, it } from 'vitest';
import { statusPost } from '../../../../reconciler/notify/commit-status.ts';
import { commitStatusOf } from '../../../../schemas/commit-status.ts';

const written = { kind: 'github', token_file: '/t' } as const;
const told = { commit: 'c1', state: 'pending', description: 'd' } as const;

it.each([
  ['https://github.com/o/r.git', 'github', 'https://api.github.com/repos/o/r/statuses/c1', 'authorization Bearer T'],
  ['git@github.com:o/r.git', 'github', 'https://api.github.com/repos/o/r/statuses/c1', 'authorization Bearer T'],
  [
    'ssh://git@git.example.org:2222/o/r',
    'github',
    'https://git.example.org/api/v3/repos/o/r/statuses/c1',
    'authorization Bearer T',
  ],
  [
    'https://gitlab.com/g/s/r.git',
    'gitlab',
    'https://gitlab.com/api/v4/projects/g%2Fs%2Fr/statuses/c1',
    'private-token T',
  ],
  [
    'https://code.example.org/o/r',
    'gitea',
    'https://code.example.org/api/v1/repos/o/r/statuses/c1',
    'authorization token T',
  ],
] as const)('%s at %s', (url, kind, request, header) => {
  const settings = commitStatusOf({ ...written, kind }, url);
  if (typeof settings === 'string') throw new Error(settings);
  const post = statusPost(settings, 'home', told);
  expect(post.url).toBe(request);
  expect(post.secret?.header('T').join(' ')).toBe(header);
  expect(JSON.parse(post.body)).toEqual(
    kind === 'gitlab'
      ? { state: 'running', name: 'oakctl/home', description: 'd' }
      : { state: 'pending', context: 'oakctl/home', description: 'd' },
  );
});

it.each([
  ['/srv/fleet.git', {}, /`project` is needed/],
  ['https://h/r', {}, /`project` is needed/],
  ['/srv/fleet.git', { project: 'o/r' }, /`api` is needed/],
  ['https://h/o/r', { api: 'http://10.0.0.1/api' }, /readable on the way to 10.0.0.1/],
])('%s with %j is refused', (url, more, message) => {
  expect(commitStatusOf({ ...written, ...more }, url)).toMatch(message);
});

it('takes what is written before what the URL says', () => {
  const more = { project: 'a/b', api: 'http://127.0.0.1:3000/api/v1/' };
  expect(commitStatusOf({ ...written, ...more }, 'https://h/o/r')).toMatchObject({
    project: 'a/b',
    api: 'http://127.0.0.1:3000/api/v1',
  });
});
