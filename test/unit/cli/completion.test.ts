import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { namesOf } from '../../../cli/completion/names.ts';
import { scripts } from '../../../cli/completion/scripts.ts';
import { type Surface, suggest } from '../../../cli/completion/suggest.ts';
import { listenApi, testToken } from '../../support/api-server.ts';
import { fakeNode } from '../../support/fake-control-plane.ts';
import { timely } from '../../support/machine.ts';

const shared = {
  output: { type: 'option', char: 'o', options: ['table', 'json'] },
  context: { type: 'option' },
  'no-color': { type: 'boolean' },
};
const surface: Surface = {
  commands: {
    deploy: { description: 'run what is asked for', strict: false, args: { file: {} }, flags: shared },
    'nodes:ls': {
      description: 'list nodes; all',
      strict: false,
      args: {},
      flags: { ...shared, watch: { type: 'boolean', char: 'w' } },
    },
    'nodes:inspect': { args: { node: {} }, flags: shared },
    'nodes:token:create': { args: {}, flags: shared },
    'services:inspect': { args: { service: {} }, flags: shared },
    logs: { strict: false, args: { name: {} }, flags: shared },
    move: { args: { instance: {} }, flags: { ...shared, to: { type: 'option' } } },
    secret: { hidden: true, args: {}, flags: {} },
    'users:rm': { args: { account: {} }, flags: shared },
    'users:token:revoke': { args: { id: {} }, flags: shared },
  },
};
const at = (...words: string[]) => {
  const { fixed, kinds } = suggest(words, surface);
  return [...fixed.map(({ value }) => value), ...kinds.map((kind) => `<${kind}>`)];
};

describe('what can stand next', () => {
  it.each([
    [[''], ['deploy', 'logs', 'move', 'nodes', 'services', 'users']],
    [['users', 'rm', ''], ['<users>']],
    [['users', 'token', 'revoke', ''], ['<apiTokens>']],
    [
      ['nodes', ''],
      ['inspect', 'ls', 'token'],
    ],
    [['nodes', 'token', ''], ['create']],
    [['nodes', 'inspect', ''], ['<nodes>']],
    [['nodes', 'inspect', 'a', ''], []],
    [['nodes', 'ls', 'a', 'b', ''], ['<nodes>']],
    [['services', 'inspect', '--no-color', ''], ['<services>']],
    [
      ['logs', 'a', ''],
      ['<services>', '<instances>'],
    ],
    [['deploy', ''], []],
    [['move', 'a', '--to', ''], ['<nodes>']],
    [['--context', ''], ['<contexts>']],
    [['--context', 'far', 'nodes', 'inspect', ''], ['<nodes>']],
    [
      ['nodes', 'ls', '-o', ''],
      ['table', 'json'],
    ],
    [
      ['nodes', 'ls', '--output', '=', 'j'],
      ['table', 'json'],
    ],
    [
      ['nodes', 'ls', '--output=j'],
      ['--output=table', '--output=json'],
    ],
    [
      ['nodes', 'ls', '-'],
      ['--output', '--context', '--no-color', '--watch'],
    ],
    [
      ['nodes', 'ls', '--no-color', '--'],
      ['--output', '--context', '--watch'],
    ],
    [['xyzzy', ''], []],
    [['nodes', 'ls', '--', ''], []],
  ])('%j: %j', (words, expected) => {
    expect(at(...words)).toEqual(expected);
  });

  it('is told with the first clause of its description', () => {
    expect(suggest(['nodes', 'l'], surface).fixed.find(({ value }) => value === 'ls')?.description).toBe('list nodes');
  });
});

describe('live names', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'oakctl-names-'));
    await writeFile(join(home, 'token'), testToken);
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it('come from the API, are kept for a moment, and stand in for an answer that does not come', async () => {
    let asked = 0;
    const api = await listenApi({
      nodes: () => {
        asked += 1;
        return [fakeNode('pi1'), fakeNode('pi2')];
      },
    });
    const flags = { api: api.url, 'token-file': join(home, 'token') };
    expect(await namesOf('nodes', flags, {}, home)).toEqual(['pi1', 'pi2']);
    expect(await namesOf('nodes', flags, {}, home)).toEqual(['pi1', 'pi2']);
    expect(asked).toBe(1);
    await api.close();
    const [file = ''] = readdirSync(join(home, 'cache'));
    const kept = JSON.parse(await readFile(join(home, 'cache', file), 'utf8'));
    await writeFile(join(home, 'cache', file), JSON.stringify({ ...kept, at: kept.at - 60_000 }));
    expect(await namesOf('nodes', flags, {}, home)).toEqual(['pi1', 'pi2']);
    await writeFile(join(home, 'cache', file), '{');
    expect(await namesOf('nodes', flags, {}, home)).toEqual([]);
  });

  it('of a reconciler that is silent cost no more than the patience of a user', async () => {
    const server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const silent = () => namesOf('nodes', { api: `http://127.0.0.1:${port}` }, {}, home);
    expect(await timely({ what: 'giving up', work: 2_000 }, silent)).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('of contexts come from files', async () => {
    await writeFile(join(home, 'contexts.json'), JSON.stringify({ contexts: { far: { api: 'http://x' } } }));
    expect(await namesOf('contexts', {}, {}, home)).toEqual(['far']);
    expect(await namesOf('nodes', { context: 'nobody' }, {}, home)).toEqual([]);
  });
});

it('bash asks with the words before the cursor, and takes the values', async () => {
  const shell = [
    scripts.bash.replace('2>/dev/null', '2>&3'),
    'oakctl() { printf "%s|" "$@" >&2; printf "pi1\\tonline\\npi 2\\n"; }',
    'COMP_WORDS=(oakctl nodes inspect "" --watch); COMP_CWORD=3; _oakctl 3>&2',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell
    'printf "<%s>" "${COMPREPLY[@]}"',
  ].join('\n');
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', shell]);
  expect(stdout).toBe('<pi1><pi 2>');
  expect(stderr).toBe('__complete|--|nodes|inspect||');
});
