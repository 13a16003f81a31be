/** Commands of the CLI, run inside the test: what they print, and how they end. */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Config } from '@oclif/core';

const folder = new URL('../../cli/commands/', import.meta.url);

/** All commands as they are typed, sorted. */
export const commandNames: readonly string[] = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replace(/\.ts$/, '').replaceAll('/', ' '))
  .sort();

/** The class behind a command. */
export async function loadCommand(name: string): Promise<Command.Class> {
  const url = new URL(`${name.replaceAll(' ', '/')}.ts`, folder);
  const { default: command } = (await import(/* @vite-ignore */ url.href)) as { default: Command.Class };
  return command;
}

export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the sources, with its flags. One at a time: what it writes is caught at the process's own streams. */
export async function runCommand(name: string, args: readonly string[]): Promise<CommandRun> {
  const command = await loadCommand(name);
  const config = await Config.load({ root: resolve('.') });
  const out: string[] = [];
  const err: string[] = [];
  const { stdout, stderr } = process;
  const real = { stdout: stdout.write, stderr: stderr.write };
  stdout.write = ((text: string | Uint8Array) => out.push(textOf(text)) > 0) as typeof stdout.write;
  stderr.write = ((text: string | Uint8Array) => err.push(textOf(text)) > 0) as typeof stderr.write;
  let code = 0;
  try {
    await command.run([...args], config);
  } catch (error) {
    const { oclif, code: kind } = error as { oclif?: { exit?: number }; code?: string };
    if (kind !== 'EEXIT') throw error;
    code = oclif?.exit ?? 0;
  } finally {
    stdout.write = real.stdout;
    stderr.write = real.stderr;
  }
  return { code, stdout: out.join(''), stderr: err.join('') };
}

function textOf(written: string | Uint8Array): string {
  return typeof written === 'string' ? written : new TextDecoder().decode(written);
}
