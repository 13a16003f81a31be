/**
 * Which images the owner of a node lets containers be made of, from policy.yaml. The decision is one function that reconciler and
 * agent share, so that a hold and a refusal say the same.
 */
import { type Static, Type } from 'typebox';
import { imageFault, parseImage, registryName } from './image-name.ts';
import type { RunSpec } from './spec.ts';

const names = Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 64 }));

/** As agents report it. An absent list allows all, an empty one nothing: what the file says is not known. */
export const ImageRules = Type.Object({
  /** As {@link registryName} names them. */
  registries: names,
  /** With their registry and without a version; `name/*` is all that lies below it. */
  images: names,
});
export type ImageRules = Static<typeof ImageRules>;

/** No image at all: of a node whose policy cannot be read. */
export const noImages: ImageRules = { registries: [] };

/** What is wrong with a rule of policy.yaml, or undefined. */
export function imageRuleFault(written: string): string | undefined {
  const fault = imageFault(sampleOf(written));
  if (fault) return fault;
  const { tag, digest } = parseImage(sampleOf(written));
  return tag === undefined && digest === undefined ? undefined : 'a rule speaks of all versions of an image';
}

/** `docker.io/library/nginx` of `nginx`, `docker.io/acme/*` of `acme/*`; of a rule without a fault. */
export function imageRule(written: string): string {
  const name = fullName(sampleOf(written));
  return isFolder(written) ? name.replace(/x$/, '*') : name;
}

/** Why no copy of this may be made on a node with these rules; undefined: it may. Programs are no images. */
export function imageRefused({ virtualization, code }: RunSpec, rules: ImageRules | undefined): string | undefined {
  const { registries, images } = rules ?? {};
  if (virtualization !== 'container' || (!registries && !images)) return undefined;
  if (registries?.length === 0 || images?.length === 0) return 'what it allows cannot be read, so that it is nothing';
  if (imageFault(code) !== undefined) return 'it is not an image reference';
  const { registry } = parseImage(code);
  if (registries && !registries.includes(registry))
    return `its registry ${registry} is not one of ${registries.join(', ')}`;
  const name = fullName(code);
  const isAllowed = images?.some((rule) => (isFolder(rule) ? name.startsWith(rule.slice(0, -1)) : name === rule));
  return isAllowed === false ? `${name} is not one of ${images?.join(', ')}` : undefined;
}

/** May bytes come from there, whatever the image is called? */
export function isPlaceAllowed(host: string, { registries }: ImageRules): boolean {
  return registries?.includes(registryName(host)) ?? true;
}

function isFolder(rule: string): boolean {
  return rule.endsWith('/*');
}

/** An image to which a rule applies. */
function sampleOf(rule: string): string {
  return isFolder(rule) ? `${rule.slice(0, -1)}x` : rule;
}

function fullName(image: string): string {
  const { registry, repository } = parseImage(image);
  return `${registry}/${repository}`;
}
