import { describe, expect, it } from 'vitest';
import { normaliseArguments } from '../../../cli/run.ts';
import { problemsOf, suggestCommand, unknownCommand } from '../../../cli/usage.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';

const known = {
  commands: ['deploy', 'down', 'nodes ls', 'nodes token create', 'services inspect', 'status'],
  topics: ['nodes', 'nodes token', 'services'],
};

describe('a command that nobody knows', () => {
  it.each([
    [['deplyo', 'app.yaml'], 'deploy'],
    [['dwon'], 'down'],
    [['ndoes', 'ls'], 'nodes ls'],
    [['nodes', 'lss'], 'nodes ls'],
    [['nodez'], 'nodes'],
    [['nodes', 'tokn', 'create'], 'nodes token create'],
    [['service', 'inspect', 'shop'], 'services inspect'],
  ])('%j is taken for %s', (words, meant) => {
    expect(suggestCommand(words, known)).toBe(meant);
  });

  it('that is like none has no suggestion', () => {
    expect(suggestCommand(['xyzzy', 'plugh'], known)).toBeUndefined();
  });

  it.each([
    [['nodez'], 'there is no command `nodez`', 'did you mean `oakctl nodes`?'],
    [['nodes', 'xyzzy'], 'there is no command `nodes xyzzy`', '`oakctl nodes --help` lists the commands'],
    [['xyzzy', 'plugh'], 'there is no command `xyzzy`', '`oakctl --help` lists the commands'],
    [['status', 'extra'], '`oakctl status` takes no argument `extra`', '`oakctl status --help` says what it takes'],
  ])('%j is told as "%s"', (words, message, hint) => {
    expect(unknownCommand(words, known)).toMatchObject({ code: 'USAGE', message, hint });
  });
});

describe('the words of a command line', () => {
  it.each([
    [
      ['nodes', 'ls', '-o', 'json'],
      ['nodes', 'ls', '-o', 'json'],
    ],
    [
      ['-o', 'json', 'nodes', 'ls'],
      ['nodes', 'ls', '-o', 'json'],
    ],
    [
      ['--no-color', '--context=a', 'status'],
      ['status', '--no-color', '--context=a'],
    ],
    [
      ['--context', 'nodes', 'nodes', 'ls'],
      ['nodes', 'ls', '--context', 'nodes'],
    ],
    [
      ['help', 'nodes', 'ls'],
      ['nodes', 'ls', '--help'],
    ],
    [['--version'], ['--version']],
    [[], []],
  ])('%j are read as %j', (typed, read) => {
    expect(normaliseArguments(typed)).toEqual(read);
  });
});

describe('failures', () => {
  const parseError = (message: string, flags?: readonly string[]) =>
    Object.assign(new Error(message), { oclif: { exit: 2 }, ...(flags && { flags }) });

  it('of a command line become USAGE, with the flag that was meant', () => {
    const error = parseError('Nonexistent flag: --outptu\nSee more help with --help', ['--outptu']);
    expect(problemsOf(error, ['output', 'api'])).toMatchObject([
      { code: 'USAGE', message: 'Nonexistent flag: --outptu', hint: 'did you mean `--output`?' },
    ]);
  });

  it('of a flag with a value, and of a value, say what was meant', () => {
    expect(problemsOf(parseError('Nonexistent flag: --ap=x', ['--ap=x']), ['api'])).toMatchObject([
      { hint: 'did you mean `--api`?' },
    ]);
    const options = 'table, wide, json, yaml, name';
    expect(problemsOf(parseError(`Expected --output=jsno to be one of: ${options}`))).toMatchObject([
      { hint: 'did you mean `--output json`?' },
    ]);
    expect(problemsOf(parseError(`Expected --output=xml to be one of: ${options}`))).toMatchObject([
      { hint: 'see `--help`' },
    ]);
  });

  it('keep what is missing in the message', () => {
    const error = parseError('Missing 1 required arg:\nfile  file or folder\nSee more help with --help');
    expect(problemsOf(error)).toMatchObject([{ message: 'Missing 1 required arg; file  file or folder' }]);
    const number = parseError('Parsing --workers \n\tExpected an integer but received: x\nSee more help with --help');
    expect(problemsOf(number)).toMatchObject([{ message: 'Parsing --workers; Expected an integer but received: x' }]);
  });

  it('name the flag that is missing, and the help of the command', () => {
    const error = parseError(
      'The following error occurred:\n  \u001b[2mMissing required flag to\u001b[22m\nSee more help with --help',
    );
    expect(problemsOf(error, ['to'], 'nodes move')).toMatchObject([
      { message: 'Missing required flag --to', hint: '`oakctl nodes move --help` says what it takes' },
    ]);
  });

  it('that are problems stay what they are, and bugs are none', () => {
    const found = problem('REFUSED', 'no');
    expect(problemsOf(new ProblemError(found))).toEqual([found]);
    expect(problemsOf(new TypeError('x is undefined'))).toBeUndefined();
  });
});
