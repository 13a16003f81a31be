/** cluster.yaml of a cluster that `up` made: written once, afterwards only its ports change. */
import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { freePort } from './addresses.ts';
import type { LocalPaths } from './folders.ts';
import { replaceFile } from './marker.ts';
import { clusterYaml } from './texts.ts';

export interface Ports {
  readonly api: number;
  readonly mqtt: number;
}

/** Ports of the reconciler as cluster.yaml has them; undefined when there is none yet. SETTINGS_INVALID as it says. */
export async function readPorts(paths: LocalPaths): Promise<Ports | undefined> {
  const text = await readFile(paths.settings, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { settings, problems } = parseClusterSettings(text, paths.settings);
  if (!settings) throw new ProblemError(problems);
  return { api: settings.api.port, mqtt: settings.mqtt.port };
}

/**
 * Makes sure that cluster.yaml is there and names free ports: those it names, else the next free ones. To be called while the
 * reconciler is down. `wanted` comes from flags and wins. Workers that have joined know the port of the broker, so then it must
 * stay (`joined`): PORT_TAKEN when it is in use.
 */
export async function ensureSettings(
  paths: LocalPaths,
  wanted: Partial<Ports>,
  joined: boolean,
): Promise<{ readonly ports: Ports; readonly moved: readonly string[] }> {
  const old = await readPorts(paths);
  const asked = { api: wanted.api ?? old?.api ?? 10_100, mqtt: wanted.mqtt ?? old?.mqtt ?? 10_003 };
  const api = await freePort(asked.api);
  const ports = { api, mqtt: await freePort(asked.mqtt, [api]) };
  if (old && joined && ports.mqtt !== old.mqtt) throw fixedPort(old.mqtt);
  const moved = (['api', 'mqtt'] as const)
    .filter((side) => ports[side] !== asked[side])
    .map((side) => `${side} port ${asked[side]} is in use, ${ports[side]} is taken instead`);
  if (!old) {
    const { name, repository } = paths;
    await replaceFile(paths.settings, clusterYaml({ name, repository, apiPort: ports.api, mqttPort: ports.mqtt }));
  } else if (ports.api !== old.api || ports.mqtt !== old.mqtt) await writePorts(paths, ports);
  return { ports, moved };
}

function fixedPort(port: number): ProblemError {
  return new ProblemError(
    problem(
      'PORT_TAKEN',
      `the workers of the cluster know its broker at port ${port}, which is in use by another process`,
      {
        hint: `end the other process; \`ss -ltnp sport = :${port}\` names it`,
      },
    ),
  );
}

/** Comments and everything else in the file stay. */
async function writePorts(paths: LocalPaths, ports: Ports): Promise<void> {
  const document = parseDocument(await readFile(paths.settings, 'utf8'));
  document.setIn(['api', 'port'], ports.api);
  document.setIn(['mqtt', 'port'], ports.mqtt);
  await replaceFile(paths.settings, document.toString({ lineWidth: 0 }));
}
