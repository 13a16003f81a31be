/**
 * The broker of clusters that e2e tests make without settings of their own: the embedded one, or the one that OAKCTL_TEST_BROKER
 * names, so that the same stories are told on both.
 */
import { randomBytes } from 'node:crypto';
import { clusterYaml } from '../../cli/local/texts.ts';
import { hasMosquitto, startMosquitto } from './mosquitto.ts';

export interface ClusterBroker {
  /** cluster.yaml as `oakctl up` writes it, but with this broker. */
  settings(repository: string): string;
  close(): Promise<void>;
}

/** A broker for this cluster alone; undefined: the embedded one. */
export async function startClusterBroker(cluster: string): Promise<ClusterBroker | undefined> {
  const kind = process.env['OAKCTL_TEST_BROKER'] ?? '';
  if (kind === '' || kind === 'aedes') return undefined;
  if (kind !== 'mosquitto') throw new Error(`OAKCTL_TEST_BROKER is ${kind}, and can be aedes or mosquitto`);
  if (!hasMosquitto()) throw new Error('OAKCTL_TEST_BROKER is mosquitto, which is not installed');
  const password = randomBytes(16).toString('hex');
  const { folder, url, passwordFile, close } = await startMosquitto({ users: { reconciler: password }, cluster });
  const mqtt = `mqtt: { url: ${url}, password_file: ${passwordFile('reconciler', password)} }
broker: { credentials: { file: ${folder}/passwords, reload: { pid_file: ${folder}/pid } } }`;
  return {
    // The port of the API comes from a flag of `up`.
    settings: (repository) =>
      clusterYaml({ name: cluster, repository, apiPort: 0, mqttPort: 0 }).replace(/^mqtt: .*$/m, mqtt),
    close,
  };
}
