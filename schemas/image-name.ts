/** Image references: `[registry[:port]/]path[:tag][@digest]`, as engines take them. */

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const registry = /^(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-fA-F:]{2,45}\])(?::[0-9]{1,5})?$/;
const tag = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digest = /^[a-z0-9+._-]{1,32}:[0-9a-fA-F]{32,128}$/;

/** What is wrong with an image reference, or undefined. */
export function imageFault(reference: string): string | undefined {
  if (reference.length > 512) return `the image reference is ${reference.length} characters long, at most 512`;
  if (reference.includes('://')) return 'an image reference has no scheme (`https://`)';
  const [named = '', content, ...more] = reference.split('@');
  if (more.length > 0 || (content !== undefined && !digest.test(content))) return 'the part after `@` is not a digest';
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  if (colon >= 0 && !tag.test(named.slice(colon + 1))) return `\`${named.slice(colon + 1, colon + 60)}\` is not a tag`;
  const path = (colon >= 0 ? named.slice(0, colon) : named).split('/');
  const [host = ''] = path;
  if (namesRegistry(path)) {
    if (!registry.test(host)) return `\`${host.slice(0, 60)}\` is not a registry`;
    path.shift();
  }
  const bad = path.find((part) => !component.test(part));
  return bad === undefined
    ? undefined
    : `\`${bad.slice(0, 60)}\` is not a part of an image name (lower case, digits, . _ -)`;
}

/** Where images come from that name no registry. */
export const usualRegistry = 'docker.io';

/** An image reference in its parts, as engines understand it. */
export interface ImageName {
  /** `host` or `host:port`, in lower case; `docker.io` where the reference names none. */
  readonly registry: string;
  /** Without the registry: `library/nginx` of `nginx`. */
  readonly repository: string;
  readonly tag?: string;
  /** Of the content, e.g. `sha256:…`. */
  readonly digest?: string;
}

/** The parts of a reference in which {@link imageFault} finds nothing wrong. */
export function parseImage(reference: string): ImageName {
  const [named = '', digest] = reference.split('@');
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const path = (colon >= 0 ? named.slice(0, colon) : named).split('/');
  const registry = namesRegistry(path) ? registryName(path.shift() ?? '') : usualRegistry;
  if (registry === usualRegistry && path.length === 1) path.unshift('library');
  return {
    registry,
    repository: path.join('/'),
    ...(colon >= 0 && { tag: named.slice(colon + 1) }),
    ...(digest !== undefined && { digest }),
  };
}

/** Do both name one image of one registry? Engines write `docker.io/library/busybox:latest` for `busybox`. */
export function isSameImage(one: string, other: string): boolean {
  const [a, b] = [parseImage(one), parseImage(other)];
  const isNamedAlike = a.registry === b.registry && a.repository === b.repository && a.digest === b.digest;
  return isNamedAlike && (a.tag ?? 'latest') === (b.tag ?? 'latest');
}

/** One name for a registry that is written in several ways. */
export function registryName(host: string): string {
  const name = host.toLowerCase();
  return name === `index.${usualRegistry}` || name === `registry-1.${usualRegistry}` ? usualRegistry : name;
}

/** Is the first part of a path a registry, as engines see it? */
function namesRegistry(path: readonly string[]): boolean {
  const [host = ''] = path;
  return path.length > 1 && (/[.:A-Z]/.test(host) || host === 'localhost');
}

/** What is wrong with `host` or `host:port` of a registry, or undefined. */
export function registryFault(host: string): string | undefined {
  if (host.includes('://')) return 'a registry has no scheme (`https://`)';
  if (host.includes('/')) return 'a registry is `host` or `host:port`, without a path';
  return registry.test(host) ? undefined : `\`${host.slice(0, 60)}\` is not a registry`;
}
