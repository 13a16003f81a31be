/**
 * Who may connect to a broker that is not ours: its password file is rewritten when a node joins or is revoked, and the broker is
 * told. A file that cannot be written, or a broker that cannot be told, is a condition, and is tried again.
 */
import { spawn } from 'node:child_process';
import { chmod, chown, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { natsUsers } from '../../schemas/broker-config.ts';
import type { Log } from '../../schemas/io/log.ts';
import { mosquittoPasswordLine, saltBytes } from '../../schemas/io/mosquitto-passwords.ts';
import type { Clock, Random } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { ExternalBroker } from '../../schemas/settings-broker.ts';
import { isReconcilerUser, reservedUsers } from '../../schemas/topics.ts';
import type { NodeAccess } from './messages.ts';

export interface CredentialsOptions {
  readonly credentials: NonNullable<ExternalBroker['credentials']>;
  readonly cluster: string;
  readonly reconciler: { readonly name: string; readonly password: string };
  /** Of the user that speaks for operators. */
  readonly operatorPassword: string;
  readonly passwordOf: (node: string, serial: number) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface CredentialsFile {
  /** These nodes, the operator and the reconcilers, and nobody else. The file follows at once, in the background. */
  setNodes(nodes: readonly NodeAccess[]): void;
  conditions(): readonly Problem[];
  /** Resolves once what was begun is done. */
  close(): Promise<void>;
}

const retryAfter = 5_000;
const reloadTimeout = 10_000;

export function createCredentialsFile(options: CredentialsOptions): CredentialsFile {
  const { credentials, clock, log } = options;
  let wanted: readonly NodeAccess[] | undefined;
  let failed: Problem | undefined;
  let working = Promise.resolve();
  let isWorking = false;
  let closed = false;
  let cancel = (): void => undefined;

  const work = async (): Promise<void> => {
    while (wanted && !closed) {
      const nodes: readonly NodeAccess[] = wanted;
      wanted = undefined;
      try {
        // Also told again when the file is as it should be, but telling failed the last time.
        if ((await writeUsers(options, nodes)) || failed) await tell(credentials.reload);
        failed = undefined;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        failed = problem('BROKER_NOT_TOLD', `the broker was not told who may connect: ${why}`, {
          file: credentials.file,
          hint: 'look at `broker.credentials` in cluster.yaml and at the rights of the reconciler; it is tried again',
        });
        log('error', 'broker_not_told', { problem: failed });
        wanted ??= nodes;
        cancel = clock.after(retryAfter, begin);
        return;
      }
    }
  };
  const begin = (): void => {
    if (isWorking || closed) return;
    cancel();
    isWorking = true;
    working = work().finally(() => {
      isWorking = false;
    });
  };

  return {
    setNodes(nodes) {
      wanted = nodes;
      begin();
    },
    conditions: () => (failed ? [failed] : []),
    async close() {
      await working;
      closed = true;
      cancel();
    },
  };
}

/** True when the file changed. */
async function writeUsers(options: CredentialsOptions, nodes: readonly NodeAccess[]): Promise<boolean> {
  const { file, format } = options.credentials;
  const old = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  const text = format === 'nats' ? natsText(options, nodes, old) : await mosquittoText(options, nodes, old);
  if (text === old) return false;
  await replaceFile(file, text, options.random);
  return true;
}

/** Lines that are right stay as they are, salt included: an unchanged list is an unchanged file. */
async function mosquittoText(options: CredentialsOptions, nodes: readonly NodeAccess[], old: string): Promise<string> {
  const { reconciler, operatorPassword, passwordOf, random } = options;
  const before = new Map(old.split('\n').map((line) => [line.split(':', 1)[0] ?? '', line]));
  const line = (name: string, password: string): Promise<string> => {
    const salt = Buffer.from(before.get(name)?.split('$')[3] ?? '', 'base64');
    return mosquittoPasswordLine(name, password, salt.length === saltBytes ? salt : random.bytes(saltBytes));
  };
  const others = [...before].flatMap(([name, text]) => (isOther(name, reconciler.name) ? [text] : []));
  const own = await line(reconciler.name, reconciler.password);
  const lines = [own, await line(reservedUsers.operator, operatorPassword), ...others];
  for (const { id, serial } of nodes) lines.push(await line(id, passwordOf(id, serial)));
  return `${lines.join('\n')}\n`;
}

function natsText(options: CredentialsOptions, nodes: readonly NodeAccess[], old: string): string {
  const { cluster, reconciler, operatorPassword, passwordOf } = options;
  const others = old.split('\n').filter((line) => isOther(/\{user: "([^"]+)"/.exec(line)?.[1] ?? '', reconciler.name));
  const users = nodes.map(({ id, serial }) => ({ name: id, password: passwordOf(id, serial), kind: 'node' as const }));
  const operator = { name: reservedUsers.operator, password: operatorPassword, kind: 'operator' as const };
  return natsUsers(cluster, [{ ...reconciler, kind: 'reconciler' as const }, operator, ...users], others);
}

/** Another reconciler that stands by: its entry is its own. */
function isOther(name: string, own: string): boolean {
  return isReconcilerUser(name) && name !== own;
}

/** The owner and the rights of the old file stay: the broker reads it as another user. */
async function replaceFile(file: string, text: string, random: Random): Promise<void> {
  const temporary = `${file}~${Buffer.from(random.bytes(6)).toString('hex')}`;
  const old = await stat(file).catch(() => undefined);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (old) {
      await chown(temporary, old.uid, old.gid).catch(() => undefined);
      await chmod(temporary, old.mode & 0o777);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

async function tell(reload: CredentialsOptions['credentials']['reload']): Promise<void> {
  if (reload?.kind === 'run') await run(reload.argv);
  if (reload?.kind !== 'signal') return;
  const pid = Number((await readFile(reload.pidFile, 'utf8')).trim());
  if (!Number.isInteger(pid) || pid < 2) throw new Error(`${reload.pidFile} holds no process id`);
  process.kill(pid, 'SIGHUP');
}

/** Without a shell. Rejects unless it ends with 0 in time. */
function run(argv: readonly string[]): Promise<void> {
  const [command = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], timeout: reloadTimeout });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-500);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with ${signal ?? code}${said ? `: ${said.trim()}` : ''}`));
    });
  });
}
