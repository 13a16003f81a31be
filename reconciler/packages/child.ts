/**
 * A process that makes a package and ends: reading and packing 100 MB would stop a reconciler for seconds. The package is for machines
 * like this one, with the Node that runs here, unless `--arch` and `--node` say otherwise.
 *
 *   child.js --into <folder> [--arch arm64 --node <program> --node-version v20.20.2]
 *
 * Prints the package, or the problem, as one line of JSON.
 */
import { parseArgs } from 'node:util';
import { type PackageArchitecture, packageArchitecture, packageArchitectures } from '../../schemas/packages.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import { makePackage } from './pack.ts';
import { packageRoot } from './root.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { into: text, arch: text, node: text, 'node-version': text } });

try {
  const { into, node, 'node-version': version } = values;
  if (into === undefined || (node === undefined) !== (version === undefined)) throw new TypeError('bad arguments');
  const program = node !== undefined && version !== undefined ? { path: node, version } : ownNode();
  print({ package: await makePackage({ root: packageRoot(), arch: wanted(values.arch), node: program, into }) });
} catch (error) {
  if (!isProblemError(error)) throw error;
  print({ problem: error.problem });
}

function print(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function wanted(arch: string | undefined): PackageArchitecture {
  const known =
    arch === undefined ? packageArchitecture(process.arch) : packageArchitectures.find((one) => one === arch);
  if (known !== undefined) return known;
  throw cannot(`there are no packages for ${arch ?? process.arch}`, `there are for ${packageArchitectures.join(', ')}`);
}

/** The Node that runs this, if it runs elsewhere, too. */
function ownNode(): { readonly path: string; readonly version: string } {
  const hint = 'in a clone of the repository: npm run package -- --into <folder of the cluster>/packages';
  const { variables } = process.config as { readonly variables: Readonly<Record<string, unknown>> };
  const shared = Object.entries(variables).filter(([name, value]) => /^node_shared(_|$)/.test(name) && value === true);
  if (shared.length > 0) throw cannot('the Node of this machine needs libraries that other machines lack', hint);
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  if (header.glibcVersionRuntime === undefined) throw cannot('the Node of this machine is not for glibc', hint);
  return { path: process.execPath, version: process.version };
}

function cannot(message: string, hint: string): ProblemError {
  return new ProblemError(problem('UNAVAILABLE', message, { hint }));
}
