import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import { Microservice } from '../../schemas/descriptor-schema.ts';
import { holdCodes } from '../../schemas/status.ts';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');
/** First cells of all table rows. */
const firstCells = readme.split('\n').flatMap((line) => /^\| (.+?) \|/.exec(line)?.[1] ?? []);

describe('README', () => {
  it('explains every hold code in the words of the contract', () => {
    const rows = Object.entries(holdCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
    expect(rows.filter((row) => !readme.includes(row))).toEqual([]);
  });

  it('lists every exit code', () => {
    const codes = Object.values(exitCodes).map(String);
    expect(codes.filter((code) => !firstCells.includes(code))).toEqual([]);
  });

  it('names every command', () => {
    const folder = new URL('cli/commands/', root);
    const commands = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.replace(/\.ts$/, '').replaceAll('/', ' '));
    const named = firstCells.join('\n');
    expect(commands.filter((command) => !new RegExp(`[\`\\s]${command}\\b`).test(named))).toEqual([]);
  });

  it('names every field of a service that is carried out, and no other', () => {
    const carriedOut = Object.entries(Microservice.properties)
      .filter(
        ([, schema]) =>
          !/ignored|not carried out|leave it empty|no node states/i.test(
            String((schema as { description?: string }).description),
          ),
      )
      .map(([field]) => field);
    const table = readme.split('Of a service (`microservices`):')[1]?.split('\n\n')[1] ?? '';
    const fields = table
      .split('\n')
      .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map((match) => match[1]));
    expect(fields.sort()).toEqual(carriedOut.filter((field) => field !== 'addresses').sort());
  });
});
