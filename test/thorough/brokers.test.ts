/** The smallest story on brokers that are not ours, over each transport: one reconciler, one agent, one service, and its update. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localCertificate, testAuthority } from '../support/certificates.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { unique } from '../support/machine.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { hasNats, startNats } from '../support/nats.ts';

interface Broker {
  readonly url: string;
  readonly passwordFile: string;
  readonly ca?: string;
  /** Of cluster.yaml. */
  readonly credentials: string;
  close(): Promise<void>;
}

const password = 'a password of the reconciler';
const authority = testAuthority(1);

async function mosquittoWithTls(): Promise<Broker> {
  const mosquitto = await startMosquitto({ users: { reconciler: password }, tls: localCertificate(authority) });
  const { folder, url, close } = mosquitto;
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, authority.certificate);
  const credentials = `file: ${folder}/passwords, reload: { pid_file: ${folder}/pid }`;
  return { url, ca, passwordFile: mosquitto.passwordFile('reconciler', password), credentials, close };
}

async function nats(over: 'mqtt' | 'wss'): Promise<Broker> {
  const server = await startNats({ password, ...(over === 'wss' && { tls: localCertificate(authority) }) });
  const { folder, passwordFile, pidFile, close } = server;
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, authority.certificate);
  const credentials = `file: ${folder}/nats-users.conf, format: nats, reload: { pid_file: ${pidFile} }`;
  const url = over === 'wss' ? server.webSocketUrl : server.url;
  return { url, passwordFile, ...(over === 'wss' && { ca }), credentials, close };
}

const brokers: readonly (readonly [name: string, isThere: boolean, start: () => Promise<Broker>])[] = [
  ['Mosquitto over mqtts://', hasMosquitto(), mosquittoWithTls],
  ['NATS over mqtt://', hasNats(), () => nats('mqtt')],
  ['NATS over wss://', hasNats(), () => nats('wss')],
];
for (const [name, isThere] of brokers) {
  if (!isThere) process.stderr.write(`e2e on ${name}: the broker is not installed, the story is skipped\n`);
}

describe.each(brokers)('%s', (_name, isThere, start) => {
  const shop = unique('shop');
  const web = fullName(shop, 'web');
  const process = (word: string) => {
    const cmd = ['-c', `: ${word}; exec sleep 1000`];
    return descriptor(shop, { web: { virtualization: 'process', code: '/bin/sh', cmd, memory: 20 } });
  };
  let broker: Broker | undefined;
  let cluster: TestCluster | undefined;

  beforeAll(async () => {
    if (!isThere) return;
    broker = await start();
    const { url, passwordFile, ca, credentials } = broker;
    cluster = await createTestCluster({
      workers: 1,
      runtime: 'process',
      settings: (repository) => `cluster: test
sources: [{ name: main, url: ${JSON.stringify(repository)}, poll: 10s }]
api: { port: 0 }
mqtt: { url: "${url}", password_file: ${passwordFile}${ca === undefined ? '' : `, ca: ${ca}`} }
broker: { credentials: { ${credentials} } }
node_class: lan
cpu_overcommit: 16
`,
    });
  });
  afterAll(async () => {
    await takeDown(cluster);
    await broker?.close();
  });

  it.skipIf(!isThere)('carries a service, and its update', async () => {
    await cluster?.repository.push({ 'shop.yaml': process('one') });
    const [before] = (await cluster?.settled({ [web]: 1 })) ?? [];
    await cluster?.repository.push({ 'shop.yaml': process('two') });
    await cluster?.oakctl('sync');
    const [after] = (await cluster?.settled({ [web]: 1 })) ?? [];
    expect(after?.copy).not.toBe(before?.copy);
    expect((await cluster?.status())?.conditions).toEqual([]);
  });
});
