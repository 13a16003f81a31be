/**
 * registries.yaml: logins, mirrors and grants of plain HTTP, by registry. It lies beside cluster.yaml, for all nodes, or beside a
 * node's agent.yaml, for that one; never in a repository, and nothing of it travels over the broker.
 */
import { type Static, Type } from 'typebox';
import { createFindings, type Findings } from './findings.ts';
import { registryFault, registryName } from './image-name.ts';
import { violations } from './parse.ts';
import { type Problem, problem } from './problem.ts';
import { parseYaml } from './yaml.ts';

const closed = { additionalProperties: false } as const;

/** May hold a login, so what does not fit is not shown. */
const proxyPattern = /^http:\/\/[^\s/]+\/?$/;

const Entry = Type.Object(
  {
    username: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Who logs in.' })),
    password: Type.Optional(
      Type.String({ minLength: 1, maxLength: 16_384, description: 'Password, or an access token.' }),
    ),
    mirrors: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
        minItems: 1,
        maxItems: 8,
        description: 'Registries that hold the same images: asked first, in this order.',
      }),
    ),
    plain_http: Type.Optional(
      Type.Boolean({ description: 'It may be spoken to without TLS; default false. Loopback needs no such grant.' }),
    ),
  },
  { ...closed, description: 'What is known of one registry.' },
);

/** Schema of registries.yaml. */
export const RegistriesFile = Type.Object(
  {
    registries: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 255 }), Entry, {
        description: 'By `host` or `host:port`; images that name none are of docker.io.',
      }),
    ),
    proxy: Type.Optional(
      Type.String({
        maxLength: 2048,
        description:
          'HTTP proxy of the reconciler when it asks what a tag stands for. Engines have a proxy of their own.',
      }),
    ),
    no_proxy: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
        maxItems: 64,
        description: 'Registries that are asked without it.',
      }),
    ),
  },
  { ...closed, title: 'oakctl registries.yaml', description: 'Logins, mirrors and grants of plain HTTP, by registry.' },
);
type RegistriesFile = Static<typeof RegistriesFile>;

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface RegistryEntry {
  readonly login?: Login;
  /** Asked first, in this order. */
  readonly mirrors: readonly string[];
  readonly plainHttp: boolean;
}

export interface Registries {
  /** By {@link registryName}. */
  readonly entries: ReadonlyMap<string, RegistryEntry>;
  readonly proxy?: string;
  readonly noProxy: readonly string[];
}

/** Nothing is known of any registry. */
export const noRegistries: Registries = { entries: new Map(), noProxy: [] };

/** One place where an image may be had. */
export interface PullSource extends Partial<Login> {
  /** `host` or `host:port`. */
  readonly host: string;
  /** The owner allows it to be spoken to in the open. */
  readonly plainHttp?: true;
  /** Why nothing better is known of it: said beside a refusal. */
  readonly note?: string;
}

/** Where the images of a registry are to be had: its mirrors, then itself. Undefined: nothing is said about it. */
export function sourcesOf({ entries }: Registries, registry: string): readonly PullSource[] | undefined {
  const entry = entries.get(registry);
  return entry && [...entry.mirrors, registry].map((host) => sourceOf(host, entries.get(host)));
}

function sourceOf(host: string, entry: RegistryEntry | undefined): PullSource {
  return { host, ...entry?.login, ...(entry?.plainHttp && { plainHttp: true as const }) };
}

/** Parses registries.yaml. `registries` is there unless there is an error. No message shows a value of the file. Never throws. */
export function parseRegistries(
  text: string,
  file: string,
): { readonly registries?: Registries; readonly problems: readonly Problem[] } {
  const { documents, problems } = parseYaml(text, file);
  const [document, second] = documents;
  if (problems.length > 0) return { problems };
  if (!document) return { registries: noRegistries, problems: [] };
  if (second) {
    const message = 'registries are one document, and here are more';
    return { problems: [problem('REGISTRIES_INVALID', message, { file, ...second.locate([]) })] };
  }
  const findings = createFindings(file, document);
  findings.violations('REGISTRIES_INVALID', violations(RegistriesFile, document.value));
  if (findings.failed()) return { problems: findings.problems };
  const { registries = {}, proxy, no_proxy = [] } = document.value as RegistriesFile;
  const entries = new Map<string, RegistryEntry>();
  for (const [host, entry] of Object.entries(registries)) {
    checkEntry(host, entry, entries, findings);
    entries.set(registryName(host), {
      mirrors: (entry.mirrors ?? []).map(registryName),
      plainHttp: entry.plain_http ?? false,
      ...(entry.username !== undefined &&
        entry.password !== undefined && { login: { username: entry.username, password: entry.password } }),
    });
  }
  if (proxy !== undefined && !proxyPattern.test(proxy))
    findings.error('REGISTRIES_INVALID', ['proxy'], 'it is not a URL like http://proxy:3128');
  if (findings.failed()) return { problems: findings.problems };
  const found = { entries, noProxy: no_proxy.map(registryName), ...(proxy !== undefined && { proxy }) };
  return { registries: found, problems: findings.problems };
}

function checkEntry(
  host: string,
  { username, password, mirrors = [] }: NonNullable<RegistriesFile['registries']>[string],
  known: ReadonlyMap<string, unknown>,
  findings: Findings,
): void {
  const at = ['registries', host];
  const say = (path: readonly (string | number)[], fault: string | undefined, hint?: string): void => {
    if (fault) findings.error('REGISTRIES_INVALID', [...at, ...path], fault, hint);
  };
  say([], registryFault(host), 'e.g. registry.example.org:5000');
  say([], known.has(registryName(host)) ? 'the same registry is there twice' : undefined);
  mirrors.forEach((mirror, index) => {
    say(['mirrors', index], registryFault(mirror), 'e.g. mirror.example.org:5000');
    say(['mirrors', index], registryName(mirror) === registryName(host) ? 'it is its own mirror' : undefined);
  });
  if ((username === undefined) !== (password === undefined))
    say([], 'a login is `username` and `password`', '`oakctl registries login` writes both');
}
