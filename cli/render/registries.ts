/** Registries, as a table and as a sentence. */
import type { LoginAnswer } from '../../schemas/api.ts';
import type { RegistryView } from '../../schemas/views.ts';
import type { Listing } from './output.ts';

export const registryListing: Listing<RegistryView> = {
  nameOf: ({ registry }) => registry,
  empty: 'No registries. `oakctl registries login` keeps a login.',
  columns: () => [
    { title: 'REGISTRY', value: ({ registry }) => registry },
    { title: 'LOGIN', value: ({ username }) => username },
    { title: 'MIRRORS', value: ({ mirrors }) => mirrors.join(', ') || undefined },
    { title: 'PLAIN HTTP', value: ({ plain_http }) => (plain_http ? 'allowed' : undefined) },
  ],
};

/** `now`: what is so from now on. */
export function loginAnswer({ registry, changed }: LoginAnswer, now: string) {
  return { name: registry, text: () => `${registry}: ${changed ? now : 'it was so already'}` };
}
