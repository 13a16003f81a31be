/** What `npm start` runs once everything is built. */
import { parseArgs } from 'node:util';
import { isProblemError } from '../schemas/problem.ts';
import type { RuntimeName } from '../schemas/spec.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { homeFolder } from './home.ts';
import { interruptsOf } from './interrupts.ts';
import { createPaint, type Paint, wantsColour } from './render/paint.ts';
import { renderProblems } from './render/problems.ts';

const help = `npm start                          a cluster with a demo on this machine; Ctrl-C ends the watching, the cluster stays
npm start -- --once                the whole story by itself, and everything is taken down again
npm start -- --runtime <runtime>   what the workers run: docker, or process (default docker if an Engine answers)

Everything else is \`npx oakctl --help\`.`;

/** Plays the demo, or with --once the whole story by itself. Answers the exit code. */
export async function runStart(argv: readonly string[]): Promise<number> {
  const paint = createPaint(wantsColour(process.stdout, process.env, false));
  const print = (text: string) => process.stdout.write(`${text}\n`);
  const end = () => process.exit(exitCodes.interrupted);
  let signal: AbortSignal | undefined;
  try {
    const { once, runtime, isHelp } = parse(argv);
    if (isHelp) {
      print(help);
      return exitCodes.ok;
    }
    const common = { env: process.env, print, ...(runtime && { runtime }) };
    if (once) {
      const { playOnce } = await import('./story/once.ts');
      const patience = () => print('It is being taken down, which takes some seconds; once more leaves it half done.');
      signal = interruptsOf(process, [patience, end]);
      await playOnce(common, signal);
    } else {
      const { playDemo } = await import('./story/demo-cluster.ts');
      signal = interruptsOf(process, [end]);
      await playDemo({ ...common, home: homeFolder(process.env), paint }, signal);
      if (signal.aborted) print('\nThe cluster goes on; `npx oakctl down` takes it down.');
    }
    return exitCodes.ok;
  } catch (error) {
    return signal?.aborted ? exitCodes.interrupted : report(error as Error, paint);
  }
}

function parse(argv: readonly string[]): { once: boolean; runtime: RuntimeName | undefined; isHelp: boolean } {
  const options = {
    once: { type: 'boolean' },
    runtime: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values } = parseArgs({ args: [...argv], options });
  const { once = false, runtime, help: isHelp = false } = values;
  if (runtime === undefined || runtime === 'docker' || runtime === 'process') return { once, runtime, isHelp };
  throw new TypeError(`--runtime is docker or process, not ${runtime}`);
}

function report(error: Error, paint: Paint): number {
  const isUsage = error instanceof TypeError && (error.message.startsWith('--') || 'code' in error);
  const text = isProblemError(error)
    ? renderProblems(error.problems, paint)
    : `${paint.bad('failed')} ${error.message}`;
  process.stderr.write(`${text}${isUsage ? '; `npm start -- --help` lists the options' : ''}\n`);
  if (isUsage) return exitCodes.usage;
  return isProblemError(error) ? exitCodeOf(error.problems) : exitCodes.failed;
}
