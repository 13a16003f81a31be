/**
 * Keeps what API and broker show over TLS valid: generated certificates are renewed long before they end, files are read again
 * when they change. Nobody restarts for it. A file that cannot be used leaves the old certificate in place, and a condition says so.
 */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { keyFingerprint, parseCertificates } from '../../schemas/io/certificates.ts';
import type { Log } from '../../schemas/io/log.ts';
import type { TlsAnswer } from '../../schemas/joining.ts';
import type { Clock, Random } from '../../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../../schemas/problem.ts';
import type { TlsSettings } from '../../schemas/settings.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { Authority } from './authority.ts';
import { readMaterial, type TlsFiles, versionOf } from './files.ts';
import { describeServer, expiryOf, type Material, type ServerTls } from './material.ts';
import { serverNames } from './names.ts';

export interface TlsOptions {
  readonly settings: TlsSettings;
  /** What API and broker listen on. */
  readonly hosts: readonly string[];
  /** The cluster's folder: the root is written to `identity/ca/ca.pem`, for `curl --cacert` and the like. */
  readonly folder: string;
  /** The root that signs, which may be another one later. */
  readonly keys: Pick<Keyring, 'root' | 'onChange'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface TlsKeeper {
  /** What to show now. */
  current(): ServerTls;
  /** Told of every new certificate. */
  onChange(listener: (tls: ServerTls) => void): void;
  /** PEM of the root that clients are to trust; undefined: a public authority. */
  authority(): string | undefined;
  describe(): TlsAnswer;
  /** What the owner should know: a file that cannot be used, a certificate that ends. */
  conditions(): readonly Problem[];
  close(): Promise<void>;
}

const day = 86_400_000;
const lifetime = 7 * day;
/** Of the lifetime that is left when a new one is made. */
const renewBelow = 0.5;
/** Clocks of agents may be behind by this much. */
const backdated = 3_600_000;
/** How soon before the end of a certificate from a file its owner is told. */
const warnBefore = 7 * day;
/** ms between two looks at the clock, or at the files. */
const interval = { auto: 60_000, files: 2_000 };

/** TLS_INVALID when the files cannot be used: there is no old certificate yet that could stay. */
export async function openTls(options: TlsOptions): Promise<TlsKeeper> {
  const { settings, clock, log } = options;
  const source = settings.kind === 'auto' ? await generated(options) : fromFiles(settings);
  const listeners: ((tls: ServerTls) => void)[] = [];
  let material = await source.renewed(undefined, clock.now().wall);
  if (!material) throw new TypeError('a source of certificates gives one at first');
  let now: Material = material;
  let refused: Problem | undefined;
  let closed = false;
  let cancel = (): void => undefined;

  const lookOnce = async (): Promise<void> => {
    try {
      material = await source.renewed(now, clock.now().wall);
      if (!material || closed) return;
      now = material;
      refused = undefined;
      log('info', 'certificate_renewed', describeServer(now.leaf));
      for (const listener of listeners) listener(now.server);
    } catch (error) {
      if (!isProblemError(error)) throw error;
      refused = error.problem;
      log('error', 'certificate_refused', { problem: error.problem });
    }
  };
  let turn = Promise.resolve();
  /** One after the other: of two roots in a row each is shown with what is its own. */
  const look = (): Promise<void> => {
    turn = turn.then(lookOnce);
    return turn;
  };
  const again = (): void => {
    cancel = clock.after(interval[settings.kind], () => {
      void look().finally(() => {
        if (!closed) again();
      });
    });
  };
  again();
  // A new root: what it signs is shown from the next connection on.
  if (settings.kind === 'auto') options.keys.onChange(() => void look());

  return {
    current: () => now.server,
    onChange: (listener) => void listeners.push(listener),
    authority: () => now.authority,
    describe: () => ({
      mode: settings.kind,
      ...(now.authority !== undefined && { authority: describeAuthority(now.authority, now.former) }),
      server: describeServer(now.leaf),
    }),
    conditions: () => [...(refused ? [stays(refused)] : []), ...ending(settings, now.leaf, clock.now().wall)],
    async close() {
      closed = true;
      cancel();
    },
  };
}

interface Source {
  /** What to show from now on; undefined when that is what is shown already. */
  renewed(now: Material | undefined, wall: number): Promise<Material | undefined>;
}

async function generated(options: TlsOptions): Promise<Source> {
  const { settings, hosts, keys } = options;
  const more = settings.kind === 'auto' ? settings.names : [];
  let root = keys.root();
  let certificate = await keepAuthority(options, root.authority);
  let issuedFor = new Set<string>();
  return {
    async renewed(now, wall) {
      const names = serverNames(hosts, more, machine());
      const isSame = keys.root().number === root.number;
      // An address that went away does no harm: interfaces of containers come and go.
      if (now && isSame && names.every((name) => issuedFor.has(name)) && isFresh(now.leaf, wall)) return undefined;
      root = keys.root();
      if (!isSame) certificate = await keepAuthority(options, root.authority);
      issuedFor = new Set(names);
      const from = Math.max(0, wall - backdated);
      const issued = root.authority.issue(names, { from, until: wall + lifetime });
      // Whoever knows an older root only finds the way from it to this one.
      const server = { ...issued, cert: issued.cert + root.chain };
      return { server, leaf: new X509Certificate(issued.cert), authority: certificate, former: root.former };
    },
  };
}

/** False from half of its life on, and when the clock was set back to before it began. */
function isFresh(leaf: X509Certificate, wall: number): boolean {
  return expiryOf(leaf) - wall > lifetime * renewBelow && wall >= Date.parse(leaf.validFrom);
}

function fromFiles(files: TlsFiles): Source {
  let seen = '';
  return {
    async renewed(now) {
      const version = await versionOf(files);
      if (version === seen) return undefined;
      seen = version;
      const read = await readMaterial(files);
      const isSame = now && read.server.cert === now.server.cert && read.server.key === now.server.key;
      return isSame && read.authority === now.authority ? undefined : read;
    },
  };
}

/** The root as it lies in the folder, or now does. The folder may be read-only: the root can always be made again. */
async function keepAuthority({ folder, log }: TlsOptions, authority: Authority): Promise<string> {
  const file = join(folder, 'identity', 'ca', 'ca.pem');
  const old = await readFile(file, 'utf8').catch(() => '');
  if (isAuthority(old, authority)) return old;
  try {
    await mkdir(join(folder, 'identity', 'ca'), { recursive: true, mode: 0o700 });
    await writeFile(file, authority.certificate, { mode: 0o600 });
  } catch (error) {
    log('warn', 'authority_not_written', { file, why: String(error) });
  }
  return authority.certificate;
}

function isAuthority(pem: string, authority: Authority): boolean {
  try {
    const [first, ...more] = parseCertificates(pem);
    return first !== undefined && more.length === 0 && keyFingerprint(first) === authority.fingerprint;
  } catch {
    return false;
  }
}

function machine(): { readonly name: string; readonly addresses: readonly string[] } {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  return { name: hostname(), addresses };
}

function describeAuthority(pem: string, former: readonly string[] = []): NonNullable<TlsAnswer['authority']> {
  const certificate = new X509Certificate(pem);
  const known = former.length > 0 && { former: former.join('') };
  return { certificate: pem, fingerprint: keyFingerprint(certificate), expires: expiryOf(certificate), ...known };
}

function stays(refused: Problem): Problem {
  return { ...refused, message: `${refused.message}; the old certificate stays in use`, severity: 'warning' };
}

function ending(settings: TlsSettings, leaf: X509Certificate, wall: number): readonly Problem[] {
  const left = expiryOf(leaf) - wall;
  if (settings.kind === 'auto' || left > warnBefore) return [];
  const when =
    left > 0 ? `ends in ${Math.ceil(left / 3_600_000)} h` : `ended on ${new Date(wall + left).toISOString()}`;
  const hint = 'write the new one over it: it is taken up without a restart';
  return [problem('TLS_INVALID', `the certificate ${when}`, { file: settings.cert, hint, severity: 'warning' })];
}
