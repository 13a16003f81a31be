/**
 * What a reconciler has for machines that are to become nodes: packages of the agent in a folder of the cluster, and the script that
 * installs one of them. That for machines like its own it makes itself; others are put there by people.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  type PackagesAnswer,
  type PackageView,
  packageArchitectures,
  packageFile,
  packageFolder,
} from '../../schemas/packages.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { readMade, viewOf } from './pack.ts';
import { packageRoot } from './root.ts';

export interface Shelf {
  /** What there is, once the package for machines like this one is there and of this version. The first time takes some seconds. */
  stock(): Promise<PackagesAnswer>;
  /** The script, with the hashes of the packages that there are now. */
  installer(): Promise<string>;
  /** A package as a stream; undefined when there is none of that name. */
  open(file: string): { readonly stream: Readable; readonly bytes: number } | undefined;
}

export interface ShelfOptions {
  /** `packages` of the cluster's folder. */
  readonly folder: string;
  /** The compiled child.js, where it does not lie beside this file. */
  readonly script?: string;
}

/** Longer than any machine takes. ms. */
const patience = 300_000;
/** In the script as it lies in the repository. */
const placeholder = '@PACKAGES@';

export function createShelf({ folder, script = childScript }: ShelfOptions): Shelf {
  const items = (): readonly PackageView[] =>
    packageArchitectures
      .map((arch) => readMade(folder, packageFile(arch)))
      .filter((made) => made !== undefined)
      .map(viewOf);
  const installer = async (): Promise<string> => {
    const text = await readFile(join(packageRoot(), 'install.sh'), 'utf8');
    return text.replace(placeholder, () => items().map(row).join('\n'));
  };
  // Two callers at once wait for the same process.
  let making: Promise<Problem | undefined> | undefined;

  return {
    installer,
    async stock() {
      making ??= make(script, folder).finally(() => {
        making = undefined;
      });
      const found = await making;
      const hash = createHash('sha256').update(await installer());
      return { items: items(), folder, installer: hash.digest('hex'), ...(found && { problem: found }) };
    },
    open(file) {
      const made = packageArchitectures.some((arch) => packageFile(arch) === file) ? readMade(folder, file) : undefined;
      return made && { stream: createReadStream(join(folder, file)), bytes: made.bytes };
    },
  };
}

const childScript = fileURLToPath(new URL('./child.js', import.meta.url));

/** As install.sh reads it. Sizes in KiB: a shell counts no further than 2 GB on some machines. */
function row(view: PackageView): string {
  const kib = (bytes: number): number => Math.ceil(bytes / 1024);
  const { arch, file, sha256, bytes, unpacked } = view;
  return [arch, file, sha256, kib(bytes), kib(unpacked), packageFolder(view)].join(' ');
}

/** Why it did not work, if it did not. */
function make(script: string, folder: string): Promise<Problem | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, '--into', folder], { timeout: patience }, (error, stdout, stderr) => {
      const answer = error ? undefined : (JSON.parse(stdout) as { readonly problem?: Problem });
      // Node ends what it says of a crash with a stack and its version.
      const why = /^\w*Error\b.*$/m.exec(stderr)?.[0] ?? (stderr.trim().split('\n').at(-1) || error?.message);
      resolve(answer ? answer.problem : problem('UNAVAILABLE', `the package could not be made: ${why}`));
    });
  });
}
