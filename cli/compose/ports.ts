/** Published ports of a compose file, in its short and its long form. Pure. */
import type { Findings } from '../../schemas/findings.ts';
import type { Path } from '../../schemas/yaml.ts';
import { isFields, listOf } from './compose-file.ts';

/** `host:container/protocol` items. What is lost, or no port, goes to the findings. */
export function portsOf(written: unknown, path: Path, findings: Findings): readonly string[] {
  return listOf(written).flatMap((one, index) => {
    const at = [...path, index];
    const { published, target, protocol, address } = partsOf(one);
    if (address !== undefined && address !== '0.0.0.0' && address !== '[::]') {
      findings.warning('COMPOSE_LOST', at, `address ${address}: ports are published on the address of the node`);
    }
    const inside = rangeOf(target);
    const outside = published === undefined ? undefined : rangeOf(published);
    if (inside === undefined || (published !== undefined && outside === undefined)) {
      findings.error('COMPOSE_INVALID', at, `\`${JSON.stringify(one)}\` is not a port`);
      return [];
    }
    if (outside === undefined) {
      const message = `port ${target} has no port of the host: one chosen by chance is not served`;
      findings.warning('COMPOSE_LOST', at, message, `write ${target}:${target}, if others are to reach it`);
      return [];
    }
    if (outside.length !== inside.length) {
      findings.warning('COMPOSE_LOST', at, `ports ${published} lead to ${target}: the first of them is taken`);
    }
    return inside.map((port, step) => `${outside[step] ?? outside[0]}:${port}/${protocol}`).slice(0, outside.length);
  });
}

interface Parts {
  readonly published: string | undefined;
  readonly target: string;
  readonly protocol: string;
  readonly address: string | undefined;
}

function partsOf(one: unknown): Parts {
  if (isFields(one)) {
    const { published, target, protocol = 'tcp', host_ip: address } = one;
    const text = (value: unknown) => (value === undefined || value === null ? undefined : String(value));
    return { published: text(published), target: String(target), protocol: String(protocol), address: text(address) };
  }
  const [ports = '', protocol = 'tcp'] = String(one).split('/', 2);
  const [, address, published, target = ports] = /^(?:(\[[^\]]*\]|[0-9.]+):)?([0-9-]*):([0-9-]+)$/.exec(ports) ?? [];
  return { published: published || undefined, target, protocol, address };
}

/** `8000-8002` as three numbers, of which there are at most 1024. */
function rangeOf(text: string): readonly number[] | undefined {
  const [, first, last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text) ?? [];
  const count = Number(last) - Number(first) + 1;
  if (first === undefined || count < 1 || count > 1024) return undefined;
  return Array.from({ length: count }, (_, step) => Number(first) + step);
}
