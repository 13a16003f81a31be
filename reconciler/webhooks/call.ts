/** What a webhook proves and says. It is believed only that something may have changed: what, the remote is asked. Pure but for the hash. */
import { createHmac } from 'node:crypto';
import type { WebhookKind } from '../../schemas/settings-webhooks.ts';
import { sameSecret } from '../api/access.ts';

export interface WebhookCall {
  readonly kind: WebhookKind;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As it came: signatures are of bytes. */
  readonly body: Buffer;
}

/** Does the sender know the secret? */
export function isProven({ kind, headers, body }: WebhookCall, secret: string): boolean {
  const header = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value : '';
  };
  const signature = (): string => createHmac('sha256', secret).update(body).digest('hex');
  switch (kind) {
    case 'github':
      return sameSecret(header('x-hub-signature-256'), `sha256=${signature()}`);
    case 'gitea':
      return sameSecret(header('x-gitea-signature') || header('x-forgejo-signature'), signature());
    case 'gitlab':
      return sameSecret(header('x-gitlab-token'), secret);
    case 'plain':
      return sameSecret(header('authorization').replace(/^Bearer +/i, ''), secret);
  }
}

/** What a call is about. Nothing of it is about everything. */
export interface Subject {
  /** URLs of one repository. */
  readonly repositories?: readonly string[];
  readonly source?: string;
  /** e.g. `refs/heads/main`. */
  readonly ref?: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** undefined: it tells of no push, or names nothing that we understand. */
export function subjectOf({ kind, headers, body }: WebhookCall): Subject | undefined {
  // GitHub says in a header what happened, e.g. `ping` when a webhook is made. Only a push changes what git says.
  if (kind === 'github' && (headers['x-github-event'] ?? 'push') !== 'push') return undefined;
  const said = fieldsOf(body.toString('utf8'));
  if (!said) return kind === 'plain' && body.length === 0 ? {} : undefined;
  const ref = typeof said['ref'] === 'string' ? { ref: said['ref'] } : {};
  if (kind === 'plain') {
    const { source, repository } = said;
    if (typeof source === 'string') return { source, ...ref };
    if (typeof repository === 'string') return { repositories: [repository], ...ref };
    return Object.keys(said).length === 0 ? {} : undefined;
  }
  const about = [said['repository'], said['project']].filter(isFields);
  const repositories = about.flatMap((one) =>
    urlMembers.flatMap((key) => (typeof one[key] === 'string' ? [one[key]] : [])),
  );
  return repositories.length > 0 ? { repositories, ...ref } : undefined;
}

const urlMembers = ['clone_url', 'ssh_url', 'html_url', 'git_http_url', 'git_ssh_url', 'http_url', 'web_url'] as const;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON, or a form with JSON in `payload`, as GitHub sends unless told otherwise. */
function fieldsOf(text: string): Fields | undefined {
  const json = text.startsWith('payload=') ? (new URLSearchParams(text).get('payload') ?? '') : text;
  try {
    const value: unknown = JSON.parse(json);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Is a source, as cluster.yaml says it, what a call is about? */
export function concerns(
  source: { readonly name: string; readonly url: string; readonly branch: string },
  { repositories, source: name, ref }: Subject,
): boolean {
  if (name !== undefined && name !== source.name) return false;
  const isOther = /^refs\/(heads|tags)\//.test(ref ?? '') && !ref?.endsWith(`/${source.branch}`);
  if (isOther) return false;
  return repositories === undefined || repositories.some((one) => placeOf(one) === placeOf(source.url));
}

/** Host and path of a repository, however it is reached: ports, users and protocols differ between its URLs. */
function placeOf(url: string): string {
  const [, host, path] = /^(?:[^@/]+@)?([A-Za-z0-9.-]+):(?!\/\/)(.*)$/.exec(url) ?? [];
  const parsed = host === undefined && URL.canParse(url) ? new URL(url) : undefined;
  const place = host === undefined ? (parsed ? `${parsed.hostname}/${parsed.pathname}` : url) : `${host}/${path}`;
  return place
    .toLowerCase()
    .replace(/\/+/g, '/')
    .replace(/\/$/, '')
    .replace(/\.git$/, '');
}
