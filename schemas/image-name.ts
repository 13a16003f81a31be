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
  if (path.length > 1 && (/[.:A-Z]/.test(host) || host === 'localhost')) {
    if (!registry.test(host)) return `\`${host.slice(0, 60)}\` is not a registry`;
    path.shift();
  }
  const bad = path.find((part) => !component.test(part));
  return bad === undefined
    ? undefined
    : `\`${bad.slice(0, 60)}\` is not a part of an image name (lower case, digits, . _ -)`;
}
