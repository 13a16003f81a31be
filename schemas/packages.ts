/** Packages of the agent with Node inside, and the script that installs one: for machines that have nothing of ours yet. */
import type { Problem } from './problem.ts';

/** Architectures that packages are made for. */
export const packageArchitectures = ['amd64', 'arm64', 'armv7'] as const;
export type PackageArchitecture = (typeof packageArchitectures)[number];

/** A package that a reconciler serves. */
export interface PackageView {
  readonly arch: PackageArchitecture;
  readonly file: string;
  /** Of oakctl, and of the Node inside. */
  readonly version: string;
  readonly node: string;
  /** Of the file, and of what is in it. */
  readonly bytes: number;
  readonly unpacked: number;
  /** Hex. */
  readonly sha256: string;
}

export interface PackagesAnswer {
  readonly items: readonly PackageView[];
  /** On the reconciler's machine: what lies there is served. */
  readonly folder: string;
  /** SHA-256 of the script as it is served now, hex. It names the hashes of the packages, so that it changes with them. */
  readonly installer: string;
  /** Why there is no package for the reconciler's own kind of machine. */
  readonly problem?: Problem;
}

/** File of the package for an architecture. Beside it lies `<file>.json`: its {@link PackageView}. */
export function packageFile(arch: PackageArchitecture): string {
  return `oakctl-agent-${arch}.tar.gz`;
}

/** What Node calls a processor; undefined where there is no package for it. */
export function packageArchitecture(nodeArch: string): PackageArchitecture | undefined {
  return ({ x64: 'amd64', arm64: 'arm64', arm: 'armv7' } as const)[nodeArch];
}

/** Folder below /opt/oakctl that a package goes to: another build of the same version is another folder. */
export function packageFolder({ version, sha256 }: Pick<PackageView, 'version' | 'sha256'>): string {
  return `${version}-${sha256.slice(0, 12)}`;
}
