/** Where others reach what is published here: the machine may be known by another address than it has. Pure. */
import { type Advertised, isUnspecified, withPort } from '../../schemas/addresses.ts';
import type { CopyReport } from '../../schemas/messages.ts';

/** Where ports are published, and where others reach them. */
export interface Published {
  readonly ip: string;
  readonly advertise?: Advertised;
}

/** What others are told. */
export function advertisedOf({ ip, advertise = { ip } }: Published): Advertised {
  return advertise;
}

/** The reports, with addresses that others reach. What is not led to this machine is told as it is: by the address that it has. */
export function advertise(copies: readonly CopyReport[], place: Published): CopyReport[] {
  return copies.map((copy) => {
    if (copy.addresses === undefined || place.advertise === undefined) return copy;
    return { ...copy, addresses: [...new Set(copy.addresses.map((address) => reached(address, place)))] };
  });
}

function reached(address: string, place: Published): string {
  const { ip, port } = advertisedOf(place);
  const [, host = '', bound = ''] = /^\[?(.*?)\]?:([0-9]+)$/.exec(address) ?? [];
  const isOurs = host === place.ip || isUnspecified(host);
  if (!isOurs || (port !== undefined && String(port) !== bound)) return address;
  return withPort(ip, bound);
}
