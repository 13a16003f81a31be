/** Packages of the agent, as a table. */
import type { PackageView } from '../../schemas/packages.ts';
import type { Listing } from './output.ts';

export const packageListing: Listing<PackageView> = {
  nameOf: ({ arch }) => arch,
  empty: 'No packages.',
  columns: () => [
    { title: 'ARCH', value: ({ arch }) => arch },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'NODE', value: ({ node }) => node },
    { title: 'MB', value: ({ bytes }) => (bytes / 1e6).toFixed(1), right: true },
    { title: 'UNPACKED', value: ({ unpacked }) => (unpacked / 1e6).toFixed(1), right: true },
    { title: 'SHA-256', value: ({ sha256 }) => sha256.slice(0, 12) },
    { title: 'FILE', value: ({ file }) => file, wide: true },
  ],
};
