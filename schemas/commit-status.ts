/** `commit_status` of a source: the host of its repository is told what became of each commit. */
import { type Static, Type } from 'typebox';
import { hostOf, isLoopback } from './addresses.ts';

/** As it is written. */
export const CommitStatusFile = Type.Object(
  {
    kind: Type.Enum(['github', 'gitlab', 'gitea'], { description: 'Whose API it is; gitea also for Forgejo.' }),
    token_file: Type.String({
      pattern: '^/',
      maxLength: 4096,
      description: 'File with a token that may set statuses, for its owner only.',
    }),
    project: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$',
        maxLength: 512,
        description: 'owner/repository; default as in the URL of the source.',
      }),
    ),
    api: Type.Optional(
      Type.String({
        pattern: '^https?://',
        maxLength: 2048,
        description: "URL of the API; default that of the URL's host.",
      }),
    ),
  },
  { additionalProperties: false, description: 'The host of the repository is told what became of each commit.' },
);

export interface CommitStatusSettings {
  readonly kind: 'github' | 'gitlab' | 'gitea';
  readonly tokenFile: string;
  readonly project: string;
  /** Without a slash at its end. */
  readonly api: string;
}

const usualPaths = { github: '/api/v3', gitlab: '/api/v4', gitea: '/api/v1' } as const;

/** The settings, or why there are none: the project and the API follow from the URL of the source. */
export function commitStatusOf(written: Static<typeof CommitStatusFile>, url: string): CommitStatusSettings | string {
  const { kind, token_file: tokenFile } = written;
  const place = placeOf(url);
  const project = written.project ?? place?.path;
  const usual =
    place && (place.host === 'github.com' ? 'https://api.github.com' : `https://${place.host}${usualPaths[kind]}`);
  const api = (written.api ?? usual)?.replace(/\/+$/, '');
  if (project === undefined || !project.includes('/')) return '`project` is needed: owner/repository';
  if (api === undefined || !URL.canParse(api)) return '`api` is needed: the URL of the API';
  const at = new URL(api);
  if (at.protocol !== 'https:' && !isLoopback(hostOf(at)))
    return `the token would be readable on the way to ${at.host}`;
  return { kind, tokenFile, project, api };
}

/** Host and path of `https://host/path.git`, `ssh://git@host/path` and `git@host:path`. */
function placeOf(url: string): { readonly host: string; readonly path: string } | undefined {
  const [, scpHost, scpPath] = /^[^@/:]+@([^:/]+):(.+)$/.exec(url) ?? [];
  const parsed = scpHost === undefined && /^(https?|ssh):/.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  const host = scpHost ?? parsed?.hostname;
  const path = (scpPath ?? parsed?.pathname)?.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  return host && path ? { host, path } : undefined;
}
