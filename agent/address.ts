/** Which address of this machine others are told, where its owner does not say. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { type Advertised, hostOf, isAddress, isUnspecified } from '../schemas/addresses.ts';
import type { Files } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { AgentConfig } from './config.ts';

/** The address that counted last: a machine may start before its network does. */
const file = 'address';

/** Where ports are published, and where others reach them. */
export interface Addresses {
  readonly ip: string;
  readonly advertise: Advertised;
}

/**
 * What agent.yaml says; and where it says nothing, the address by which this machine goes to `url`, or went when it could last.
 * Asks the routing table and sends nothing. SETTINGS_INVALID when there is no way there, and never was.
 */
export async function settleAddresses(
  { ip, advertise }: Pick<AgentConfig, 'ip' | 'advertise'>,
  url: string,
  files: Files,
): Promise<Addresses> {
  if (ip !== undefined && (advertise || !isUnspecified(ip))) return { ip, advertise: advertise ?? { ip } };
  const own = await ownAddress(url, files);
  return { ip: ip ?? own, advertise: advertise ?? { ip: own } };
}

async function ownAddress(url: string, files: Files): Promise<string> {
  const known = await files.read(file).catch(() => undefined);
  const host = hostOf(new URL(url));
  const found = await addressTowards(host).catch((cause: unknown) => {
    if (known !== undefined && isAddress(known)) return known;
    const hint = 'write `ip` into agent.yaml: the address of this machine on which ports are published';
    throw new ProblemError(problem('SETTINGS_INVALID', `this machine has no way to ${host} yet`, { hint }), { cause });
  });
  // Worth nothing but a start without a network: a disk that is full keeps nobody from working.
  if (found !== known) await files.write(file, found).catch(() => undefined);
  return found;
}

/** The local address of a connection to this host; rejects where no route leads there, or nobody knows its name. */
async function addressTowards(host: string): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Any port will do: nothing is sent.
      socket.connect(9, address, resolve);
    });
    return socket.address().address;
  } finally {
    socket.close();
  }
}
