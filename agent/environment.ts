/** What agent.yaml would say, from the environment: for an agent in a container. Empty variables count as not set. */
import { readFile } from 'node:fs/promises';
import { type Problem, problem } from '../schemas/problem.ts';
import { type AgentConfig, parseAgentConfig } from './config.ts';

type Env = Readonly<Record<string, string | undefined>>;

const place = 'the environment';

/** As {@link parseAgentConfig}. A token file that is not there is for an agent that has joined: whoever needs one is told by the join. */
export async function configOfEnvironment(
  env: Env,
  hostName: string,
): Promise<{ readonly config?: AgentConfig; readonly problems: readonly Problem[] }> {
  const read = (name: string): string | undefined => env[name]?.trim() || undefined;
  const missing = (['OAKCTL_API', 'NODE_IP'] as const).filter((name) => read(name) === undefined);
  if (missing.length > 0) return { problems: missing.map(unset) };
  const tokenFile = read('NODE_TOKEN_FILE');
  const token = tokenFile === undefined ? undefined : await readFile(tokenFile, 'utf8').catch(() => undefined);
  const network = read('NODE_NETWORK');
  const settings = {
    name: read('NODE_NAME'),
    api: read('OAKCTL_API'),
    ip: read('NODE_IP'),
    advertise: read('NODE_ADVERTISE'),
    token: token?.trim() || undefined,
    location: read('NODE_LOCATION'),
    runtimes: { docker: { ...(network !== undefined && { network }) } },
  };
  const { config, problems } = parseAgentConfig(JSON.stringify(settings), place, hostName);
  // A line and a column mean nothing there.
  return { ...(config && { config }), problems: problems.map(({ line: _, column: __, ...rest }) => rest) };
}

const meaning = { OAKCTL_API: 'URL of the reconciler', NODE_IP: 'address on which ports are published' } as const;

function unset(name: keyof typeof meaning): Problem {
  const hint = `export ${name} (${meaning[name]}), or write agent.yaml into the agent's folder`;
  return problem('SETTINGS_INVALID', 'it is not set', { file: place, subject: name, hint });
}
