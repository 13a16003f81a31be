/** The one line that makes a machine a node, and where it leads. Pure. */
import { hostOf, isAddress, isLoopback, urlHost, withPort } from '../../schemas/addresses.ts';
import type { TlsAnswer } from '../../schemas/joining.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** What the new node shall be, as `oakctl agent install` takes it. */
export interface NodeWish {
  readonly name?: string;
  readonly labels: readonly string[];
  readonly location?: string;
  readonly ip?: string;
  readonly advertise?: string;
  readonly runtimes: readonly string[];
}

export interface JoinLine {
  /** URL of the API, as the new machine reaches it. */
  readonly api: string;
  /** Where it downloads from. */
  readonly origin: string;
  readonly token: string;
  /** SHA-256 of the script that it is to run, hex. */
  readonly installer: string;
  readonly node: NodeWish;
}

/**
 * `$0` is the hash, `$1` the URL of the script. No check of a certificate is needed, or switched off: what has this hash was made by
 * whoever made the line. The token is in the environment, which only root and its owner can read, and not among the arguments.
 */
const script = [
  'f=$(mktemp); curl -m60 -fsSo $f $1 || wget -T60 -qO $f $1; if echo "$0  $f" | sha256sum -c >/dev/null; then sh $f "$@"; else',
  'echo "REFUSED: nothing was run, this line is for another script; oakctl nodes add makes a new line" >&2; false; fi;',
  'c=$?; rm -f $f; exit $c',
].join(' ');

export function joinLine({ api, origin, token, installer, node }: JoinLine): string {
  const options: readonly (readonly [string, string | undefined])[] = [
    ['--api', api],
    ['--name', node.name],
    ...node.labels.map((label) => ['--label', label] as const),
    ['--location', node.location],
    ['--ip', node.ip],
    ['--advertise', node.advertise],
    ...node.runtimes.map((runtime) => ['--runtime', runtime] as const),
  ];
  const words = options.flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  const given = [installer, `${origin}/v1/install.sh`, ...words].map(shellWord).join(' ');
  return `OAKCTL_JOIN_TOKEN=${token} sh -c '${script}' ${given}`;
}

/** One word for every shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The API as other machines reach it: what is `wished` (URL, or host with or without port), else the address in use, else, where that
 * is loopback, an address that its certificate names. REFUSED for a cluster that only its own machine can reach.
 */
export function apiForOthers(api: string, wished: string | undefined, tls: TlsAnswer | undefined): string {
  const url = new URL(api);
  if (wished !== undefined) return wishedUrl(url, wished);
  if (!isLoopback(hostOf(url))) return url.origin;
  const open = (tls?.server.names ?? []).filter((name) => isAddress(name) && !isLoopback(name));
  const [address] = [...open.filter((name) => !name.includes(':')), ...open];
  if (address !== undefined) return originOf(url.protocol, address, portOf(url));
  throw new ProblemError(
    problem('REFUSED', `the reconciler listens on ${url.hostname} only: no other machine can reach it`, {
      hint: '`oakctl up --name <another> --bind <address>` makes a cluster that listens there, with TLS; `--address` names a way in that you made',
    }),
  );
}

/** What downloads come from: with an authority of the cluster's own, which no machine knows yet, its port without TLS. */
export function downloadOrigin(api: string, tls: TlsAnswer | undefined): string {
  const url = new URL(api);
  return tls?.authority === undefined ? url.origin : originOf('http:', hostOf(url), portOf(url));
}

function wishedUrl({ protocol, port }: URL, wished: string): string {
  const whole = urlHost(wished);
  const text = /^https?:\/\//.test(whole) ? whole : `${protocol}//${whole}`;
  if (!URL.canParse(text)) {
    throw new ProblemError(problem('USAGE', `\`${wished}\` is no address`, { hint: '--address 192.168.1.10' }));
  }
  const url = new URL(text);
  if (url.port === '' && !/:\d+$/.test(text)) url.port = port;
  return url.origin;
}

/** A URL leaves out the usual port of its own protocol. */
function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

function originOf(protocol: string, host: string, port: string): string {
  return `${protocol}//${withPort(host, port)}`;
}
