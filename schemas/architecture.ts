/** Names of processor architectures: engines, kernels and Node call the same thing by different names. */

const synonyms: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  'arm64/v8': 'arm64',
  armv6l: 'arm',
  armv7l: 'arm',
  armhf: 'arm',
  'arm/v6': 'arm',
  'arm/v7': 'arm',
  ia32: '386',
  i386: '386',
  i686: '386',
  x86: '386',
};

/** The name that engines use (`amd64`, `arm64`, `arm`, `386`); what is not known stays as it is, in lower case. */
export function architecture(name: string): string {
  const plain = name
    .trim()
    .toLowerCase()
    .replace(/^linux\//, '');
  return Object.hasOwn(synonyms, plain) ? (synonyms[plain] as string) : plain;
}
