/** The seeds' wire by hand: curl, mosquitto_pub and mosquitto_sub. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { PlainControl } from '../../schemas/seed.ts';
import { eventually } from './eventually.ts';

const run = promisify(execFile);

/** False: tests by hand are skipped, visibly. In CI the programs must be there. */
export async function hasHands(): Promise<boolean> {
  const missing: string[] = [];
  for (const program of ['curl', 'mosquitto_pub', 'mosquitto_sub', 'stdbuf']) {
    // What they say to `--help`, and with which code, differs.
    await run(program, ['--help']).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') missing.push(program);
    });
  }
  if (missing.length === 0) return true;
  if (process.env['CI']) throw new Error(`${missing.join(', ')} missing: apt-get install curl mosquitto-clients`);
  process.stderr.write(`tests by hand are skipped: ${missing.join(', ')} missing\n`);
  return false;
}

export interface Listening {
  /** Controls as mosquitto_sub printed them, oldest first. */
  readonly heard: readonly PlainControl[];
  stop(): void;
}

export interface Hands {
  /** POST; `bearer` '' for none. */
  curl(path: string, bearer: string, body: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  /** Rejects when the broker does not take it. */
  publish(user: string, password: string, topic: string, payload: object): Promise<void>;
  /** Resolves when the broker has confirmed the subscription. */
  listen(user: string, password: string, topic: string): Promise<Listening>;
  /** Ends everything that listens. */
  close(): void;
}

/** `mqtt`: host and port. `ca`: file of the certificate that curl and the clients trust. */
export function createHands({
  api,
  mqtt,
  ca,
}: {
  readonly api: string;
  readonly mqtt: string;
  readonly ca?: string;
}): Hands {
  const clients: ChildProcess[] = [];
  const [host = '', port = ''] = mqtt.split(':');
  const broker = ['-h', host, '-p', port, ...(ca === undefined ? [] : ['--cafile', ca])];
  const login = (user: string, password: string, client: string) => [
    '-u',
    user,
    '-P',
    password,
    '-i',
    client,
    '-q',
    '1',
  ];

  return {
    async curl(path, bearer, body) {
      const { stdout } = await run('curl', [
        ...['-sS', '-X', 'POST', '-w', '\n%{http_code}', '-H', 'content-type: application/json'],
        ...(bearer === '' ? [] : ['-H', `authorization: Bearer ${bearer}`]),
        ...(ca === undefined ? [] : ['--cacert', ca]),
        ...['-d', JSON.stringify(body), `${api}${path}`],
      ]);
      const end = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
    },
    async publish(user, password, topic, payload) {
      const what = ['-t', topic, '-m', JSON.stringify(payload)];
      await run('mosquitto_pub', [...broker, ...login(user, password, `${user}.pub`), ...what], { timeout: 20_000 });
    },
    async listen(user, password, topic) {
      const heard: PlainControl[] = [];
      const args = ['-oL', 'mosquitto_sub', ...broker, ...login(user, password, user), '-t', topic, '-d'];
      const client = spawn('stdbuf', args);
      clients.push(client);
      let ready = false;
      let text = '';
      client.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        ready ||= lines.some((line) => line.includes('SUBACK'));
        for (const line of lines) if (line.startsWith('{')) heard.push(JSON.parse(line) as PlainControl);
      });
      await eventually(() => ready, { timeout: 60_000, what: `mosquitto_sub to listen on ${topic}` });
      return { heard, stop: () => void client.kill() };
    },
    close() {
      for (const client of clients) client.kill();
    },
  };
}
