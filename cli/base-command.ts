/** What every command shares: global flags, output, failures as message and exit code, Ctrl-C as an AbortSignal. */
import { Command, Flags } from '@oclif/core';
import type { AccountsClient } from '../schemas/io/accounts-client.ts';
import type { ApiClient } from '../schemas/io/api-client.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { endpointOf, resolveTarget, type Target, type TargetFlags } from './contexts.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { homeFolder } from './home.ts';
import { type Listing, type OutputFormat, outputFormats, renderList, renderOne } from './render/output.ts';
import { createPaint, type Paint, wantsColour } from './render/paint.ts';
import { renderProblems } from './render/problems.ts';
import { problemsOf } from './usage.ts';

const helpGroup = 'GLOBAL';

export const globalFlags = {
  output: Flags.option({ char: 'o', options: outputFormats, helpGroup, description: 'output format' })({
    default: 'table',
  }),
  context: Flags.string({ helpGroup, description: 'cluster or context to talk to' }),
  api: Flags.string({ helpGroup, description: 'URL of a reconciler' }),
  'token-file': Flags.string({ helpGroup, description: 'file with the API token' }),
  'ca-file': Flags.string({ helpGroup, description: 'file with the certificate to trust' }),
  'no-color': Flags.boolean({ helpGroup, description: 'no colours' }),
};

/** Base of all commands. Subclasses stay thin: flags, one call of a service, one call of a renderer. */
export abstract class BaseCommand extends Command {
  static override baseFlags = globalFlags;

  private readonly abort = new AbortController();

  /** Aborts on Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. */
  protected readonly signal: AbortSignal = this.abort.signal;

  protected readonly home = homeFolder(process.env);

  /** What goes on in the cluster though nobody waits for it any more: said to who ends the waiting. */
  protected goesOn?: string;

  override async init(): Promise<void> {
    await super.init();
    // What is piped in is never an argument that was left out: it may be a password, or meant for the next command of a script.
    for (const arg of Object.values(this.ctor.args)) arg.ignoreStdin = true;
    const stop = (name: NodeJS.Signals) => {
      this.abort.abort(new Interrupted(name));
      process.once(name, () => process.exit(exitCodes.interrupted));
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  }

  /** The reconciler that flags, environment or contexts name. */
  protected async connect(flags: TargetFlags): Promise<ApiClient> {
    return (await this.target(flags)).api;
  }

  /** As {@link connect}, with what is known about the target. Who is logged in there calls as that account. */
  protected async target(flags: TargetFlags): Promise<{ readonly api: ApiClient; readonly target: Target }> {
    const [target, { createApiClient }] = await Promise.all([
      this.signedIn(flags),
      import('../schemas/io/api-client.ts'),
    ]);
    return { api: createApiClient(endpointOf(target)), target };
  }

  /** As `target`, for what is about accounts. */
  protected async accounts(flags: TargetFlags): Promise<{ readonly api: AccountsClient; readonly target: Target }> {
    const [target, { createAccountsClient }] = await Promise.all([
      this.signedIn(flags),
      import('../schemas/io/accounts-client.ts'),
    ]);
    return { api: createAccountsClient(endpointOf(target)), target };
  }

  /** What flags, environment or contexts name, with the token file alone. */
  protected place(flags: TargetFlags): Promise<Target> {
    return resolveTarget(flags, process.env, this.home);
  }

  private async signedIn(flags: TargetFlags): Promise<Target> {
    const target = await this.place(flags);
    const { withLogin } = await import('./sessions.ts');
    return withLogin(target, flags, process.env, this.home);
  }

  /** Colours for data (`out`) and narration (`err`). */
  protected paint(stream: 'out' | 'err' = 'out'): Paint {
    const to = stream === 'out' ? process.stdout : process.stderr;
    return createPaint(wantsColour(to, process.env, this.argv.includes('--no-color')));
  }

  /** Data, for stdout. Nothing is printed for an empty text. */
  protected print(text: string): void {
    if (text !== '') process.stdout.write(`${text}\n`);
  }

  /** Narration, for stderr. */
  protected say(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  protected async printList<Row>(format: OutputFormat, items: readonly Row[], listing: Listing<Row>): Promise<void> {
    const { data, note } = await renderList(format, items, listing, this.paint());
    this.print(data);
    if (note) this.say(note);
  }

  protected async printOne<Value>(
    format: OutputFormat,
    value: Value,
    view: { readonly name: string; readonly text: (value: Value) => string },
  ): Promise<void> {
    this.print(await renderOne(format, value, view));
  }

  /** Expected failures become a message, a hint and an exit code; bugs keep their stack for the report. */
  protected override async catch(error: Error & { exitCode?: number }): Promise<void> {
    if ((error as { code?: string }).code === 'EEXIT') throw error;
    if (this.signal.aborted) {
      if (this.goesOn !== undefined) this.say(this.goesOn);
      this.exit(exitCodes.interrupted);
    }
    const flags = Object.keys({ ...this.ctor.flags, ...this.ctor.baseFlags });
    const problems = problemsOf(error, flags, this.id?.replaceAll(':', ' '));
    if (!problems) {
      this.say(`${this.paint('err').bad('bug')} ${error.stack ?? error.message}`);
      this.say('This should not happen: please report it with the command line and `oakctl version`.');
      this.exit(exitCodes.failed);
    }
    this.say(renderProblems(problems, this.paint('err')));
    this.exit(this.failureCode(problems));
  }

  /** Exit code of a failure; `plan` has its own. */
  protected failureCode(problems: readonly Problem[]): number {
    return exitCodeOf(problems);
  }
}

/** The reason of an abort by the user. */
class Interrupted extends Error {
  constructor(name: string) {
    super(`ended by ${name}`);
    this.name = 'Interrupted';
  }
}

/** Fails with USAGE. */
export function usage(message: string, hint?: string): never {
  throw new ProblemError(problem('USAGE', message, hint ? { hint } : {}));
}
