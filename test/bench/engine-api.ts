/** The bare Docker API of one engine, over connections that are kept. */
import { Agent, request } from 'node:http';

export interface EngineApi {
  /** The answer's JSON; undefined where it has none. Throws with status and text of a refusal. */
  call<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  close(): void;
}

/** Where the machine's engine listens, or the one that DOCKER_HOST names. */
export function usualSocket(): string {
  return (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
}

/** At most `connections` at once; further calls wait. */
export function createEngineApi(socketPath: string, connections: number): EngineApi {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    call: (method, path, body) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        const sent = request({ agent, socketPath, method, path, headers }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          answer.on('end', () => {
            if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
            else resolve(text.trim() ? JSON.parse(text) : undefined);
          });
          answer.on('error', reject);
        });
        sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}
