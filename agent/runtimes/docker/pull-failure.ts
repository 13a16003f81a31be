/** What an engine says of a pull that failed, as one of our codes. Engines have one status for nearly all of it, so the text tells. */
import { parseImage } from '../../../schemas/image-name.ts';
import type { ProblemCode } from '../../../schemas/problem.ts';

/** Why an image is not there. */
export type PullCode = Exclude<Extract<ProblemCode, `IMAGE_${string}` | `REGISTRY_${string}`>, 'IMAGE_LOAD_FAILED'>;

export interface PullFailure {
  readonly code: PullCode;
  readonly message: string;
}

/** The first that fits counts: a registry that cannot be reached may be named "denied", and what is not found "unauthorized". */
const signs: readonly (readonly [PullCode, RegExp])[] = [
  ['IMAGE_NO_SPACE', /no space left on device|disk quota exceeded|not enough (disk )?space/i],
  ['IMAGE_WRONG_ARCHITECTURE', /no matching manifest for|cannot be used on this platform|no match for platform/i],
  [
    'REGISTRY_UNREACHABLE',
    /connection refused|no such host|no route to host|network is unreachable|i\/o timeout|client\.timeout|tls handshake|deadline exceeded|server misbehaving|temporary failure in name|connection reset|http response to https client|x509:|proxyconnect|: EOF$/i,
  ],
  [
    'IMAGE_DENIED',
    /unauthorized|denied|no basic auth credentials|authentication required|incorrect username or password|forbidden/i,
  ],
  ['IMAGE_NOT_FOUND', /not found|manifest unknown|name unknown|does not exist|invalid reference|name invalid/i],
];

/** The failure that an engine's words, and the status that came with them, stand for. */
export function pullFailure(status: number | undefined, message: string): PullFailure {
  const code = signs.find(([, sign]) => sign.test(message))?.[0];
  if (code) return { code, message };
  if (status === 401 || status === 403) return { code: 'IMAGE_DENIED', message };
  return { code: status === 404 || status === 400 ? 'IMAGE_NOT_FOUND' : 'IMAGE_PULL_FAILED', message };
}

/** What somebody can do about it. */
export function pullHint(code: PullCode, image: string, message: string): string {
  const { registry } = parseImage(image);
  if (/http response to https client/i.test(message))
    return `allow plain HTTP to ${registry} in \`insecure-registries\` of the node's engine`;
  if (/x509:/i.test(message))
    return `the engine of the node has to trust the certificate: /etc/docker/certs.d/${registry}/ca.crt`;
  const hints: Readonly<Partial<Record<PullCode, string>>> = {
    IMAGE_DENIED: `\`oakctl registries login ${registry}\`; registries also say so of what does not exist`,
    IMAGE_NOT_FOUND: 'check the name and the tag',
    IMAGE_NO_SPACE: 'make room on the node: `docker image prune`; it is tried again',
    IMAGE_WRONG_ARCHITECTURE: 'say `arch` in the descriptor, or push the image for this architecture, too',
    REGISTRY_UNREACHABLE: 'it is tried again; `oakctl images load` brings an image without a registry',
    REGISTRY_INSECURE: `\`plain_http: true\` for ${registry} in registries.yaml allows it`,
  };
  return hints[code] ?? 'it is tried again';
}
