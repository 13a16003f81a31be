/** The sources of cluster.yaml: which repositories, and how they are reached. Credentials lie in files; the settings name these. */
import { type Static, Type } from 'typebox';
import { isLoopback } from './addresses.ts';
import { CommitStatusFile, type CommitStatusSettings, commitStatusOf } from './commit-status.ts';
import { durationSchema, parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';
import { nodeNamePattern } from './names.ts';
import { directSource } from './spec.ts';
import type { Path } from './yaml.ts';

const closed = { additionalProperties: false } as const;

/** Remotes of git; none that git would take for an option. */
export const remotePattern = '^[^-\\s][^\\s]*$';
export const branchPattern = '^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$';
/** Absolute, and without what a shell or ssh would read as more than a path. */
export const plainFilePattern = '^/[A-Za-z0-9_./@+,:=-]{1,4095}$';
export const userPattern = '^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$';
const file = (description: string) => Type.String({ pattern: plainFilePattern, description });

const accessFields = {
  username: Type.Optional(
    Type.String({ pattern: userPattern, description: 'Who the token belongs to, where the host asks for that.' }),
  ),
  token_file: Type.Optional(file('File with a token or password for https, for its owner only.')),
  ca: Type.Optional(file("PEM file of the root that signed the host's certificate.")),
  key_file: Type.Optional(file('File with a private key for ssh, without a passphrase, for its owner only.')),
  known_hosts: Type.Optional(file('File with the keys of ssh hosts that are trusted; no other host is.')),
};

/** An item of `sources` in cluster.yaml. */
export const SourceFile = Type.Object(
  {
    name: Type.String({ pattern: nodeNamePattern.source, description: 'Name of the source.' }),
    url: Type.String({ minLength: 1, maxLength: 2048, pattern: remotePattern, description: 'Remote URL or path.' }),
    branch: Type.Optional(Type.String({ pattern: branchPattern, description: 'Branch, tag or commit.' })),
    path: Type.Optional(Type.String({ maxLength: 1024, description: 'Folder inside the repository.' })),
    poll: Type.Optional(durationSchema('Time between two looks at the remote')),
    signers: Type.Optional(
      Type.Object(
        {
          file: file('File with the ssh keys whose signatures count, as `ssh-keygen` reads it (ALLOWED SIGNERS).'),
          commits: Type.Optional(
            Type.Union([Type.Literal('head'), Type.Literal('all')], {
              description:
                'Which commits have to be signed: the head (default), or all since the one that was accepted last.',
            }),
          ),
        },
        { ...closed, description: 'A head that is not signed by one of these waits for `oakctl approve`.' },
      ),
    ),
    strict: Type.Optional(
      Type.Boolean({
        description: 'Carry a commit out whole or not at all; default false: what is wrong waits, the rest goes on.',
      }),
    ),
    write_back: Type.Optional(
      Type.Boolean({ description: 'Push what became of the revision to refs/oakctl/status/<cluster>; default false.' }),
    ),
    commit_status: Type.Optional(CommitStatusFile),
    ...accessFields,
  },
  closed,
);
type SourceFile = Static<typeof SourceFile>;

/** Credentials of a remote, and what it is trusted by. All are paths of this machine. */
export interface SourceAccess {
  readonly username?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly keyFile?: string;
  readonly knownHosts?: string;
}

/** Whose signatures commits have to have: a file of this machine. */
export interface SignerSettings {
  readonly file: string;
  readonly commits: 'head' | 'all';
}

export interface SourceSettings {
  readonly name: string;
  readonly url: string;
  readonly branch: string;
  /** Folder inside the repository, without slashes at the ends; '' is all of it. */
  readonly path: string;
  /** ms between two looks at the remote. */
  readonly poll: number;
  readonly access: SourceAccess;
  readonly signers?: SignerSettings;
  /** A commit is carried out whole, or not at all. */
  readonly strict?: true;
  /** Its status is pushed to a ref of its repository. */
  readonly writeBack?: true;
  readonly commitStatus?: CommitStatusSettings;
}

export const sourceDefaults = { branch: 'main', poll: 60_000 } as const;

/** As {@link SourceFile} says it, with defaults. Adds to the findings what contradicts itself. */
export function sourcesOf(written: readonly SourceFile[], findings: Findings): readonly SourceSettings[] {
  const sources = written.map((source, index) => sourceOf(source, ['sources', index], findings));
  const seen = new Set<string>();
  sources.forEach((source, index) => {
    const at = ['sources', index];
    const name = source.name.toLowerCase();
    if (name === directSource) {
      const message = `\`${directSource}\` is what CLI and API deploy as`;
      findings.error('NAME_TAKEN', [...at, 'name'], message, 'another name');
    }
    if (seen.has(name)) findings.error('NAME_TAKEN', [...at, 'name'], `two sources are called ${source.name}`);
    seen.add(name);
    if (!isPlainFolder(source.path)) {
      findings.error('SETTINGS_INVALID', [...at, 'path'], `\`${source.path}\` is not a folder inside the repository`);
    }
    checkPoll(source.poll, [...at, 'poll'], findings);
    const fault = accessFault(source);
    if (fault) findings.error('SETTINGS_INVALID', [...at, fault.key], fault.message, fault.hint);
  });
  return sources;
}

function sourceOf(source: SourceFile, path: Path, findings: Findings): SourceSettings {
  const { username, token_file: tokenFile, ca, key_file: keyFile, known_hosts: knownHosts } = source;
  const commitStatus = source.commit_status && commitStatusOf(source.commit_status, source.url);
  if (typeof commitStatus === 'string') findings.error('SETTINGS_INVALID', [...path, 'commit_status'], commitStatus);
  return {
    name: source.name,
    url: source.url,
    branch: source.branch ?? sourceDefaults.branch,
    path: (source.path ?? '').replace(/^\/+/, '').replace(/\/+$/, ''),
    poll: parseDuration(source.poll) ?? sourceDefaults.poll,
    access: {
      ...(username !== undefined && { username }),
      ...(tokenFile !== undefined && { tokenFile }),
      ...(ca !== undefined && { ca }),
      ...(keyFile !== undefined && { keyFile }),
      ...(knownHosts !== undefined && { knownHosts }),
    },
    ...(source.signers && { signers: { commits: 'head', ...source.signers } }),
    ...(source.strict && { strict: true }),
    ...(source.write_back && { writeBack: true }),
    ...(typeof commitStatus === 'object' && { commitStatus }),
  };
}

interface AccessFault {
  readonly key: string;
  readonly message: string;
  readonly hint?: string;
}

/** What of the access does not belong to such a URL. */
export function accessFault({ url, access }: Pick<SourceSettings, 'url' | 'access'>): AccessFault | undefined {
  const { username, tokenFile, ca, keyFile, knownHosts } = access;
  const kind = remoteKind(url);
  const only = (key: string, what: string): AccessFault => ({ key, message: `it is for ${what}, and the URL is not` });
  if (tokenFile !== undefined && kind !== 'http') return only('token_file', 'https');
  if (username !== undefined && kind !== 'http') return only('username', 'https');
  if (ca !== undefined && kind !== 'http') return only('ca', 'https');
  if (keyFile !== undefined && kind !== 'ssh') return only('key_file', 'ssh');
  if (knownHosts !== undefined && kind !== 'ssh') return only('known_hosts', 'ssh');
  if (username !== undefined && tokenFile === undefined)
    return { key: 'username', message: 'it goes with `token_file`, which is not there' };
  if (keyFile !== undefined && knownHosts === undefined) {
    const hint = 'ssh-keyscan <host> > known_hosts, and compare the fingerprint with what the host publishes';
    return { key: 'key_file', message: 'it needs `known_hosts`: a key is shown to no host that is not known', hint };
  }
  return undefined;
}

/** How git speaks to a URL; `local` is a folder of this machine. */
export function remoteKind(url: string): 'http' | 'ssh' | 'local' | 'other' {
  if (url.startsWith('/') || url.startsWith('file:')) return 'local';
  if (/^https?:/i.test(url)) return 'http';
  return /^ssh:/i.test(url) || /^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:/.test(url) ? 'ssh' : 'other';
}

/** http is for this machine only: elsewhere a token could be read, and a descriptor changed, on the way. */
export function isOpenHttp(url: string): boolean {
  if (!/^http:/i.test(url) || !URL.canParse(url)) return false;
  return !isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''));
}

export function checkPoll(poll: number, path: readonly (string | number)[], findings: Findings): void {
  if (poll < 100) findings.error('SETTINGS_INVALID', path, `${poll} ms is too often: at least 100ms`);
}

/** Relative, without `.`, `..`, empty steps or control characters. */
function isPlainFolder(path: string): boolean {
  if (path === '') return true;
  return !/\p{Cc}/u.test(path) && path.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
}
