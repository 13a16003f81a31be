/**
 * What goes into a package of the agent: the commands that a node needs, whatever of ours they load, and the production packages
 * that those load. Found by following imports from file to file, so nothing has to be listed. Nothing native is in it: optional
 * dependencies are left out, since whoever has them runs without.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** A file of the package: where it lies here, and where there. */
export interface PackedFile {
  readonly from: string;
  /** Below the folder of the package. */
  readonly to: string;
}

interface Manifest {
  readonly commands: Readonly<Record<string, { readonly relativePath?: readonly string[] }>>;
  readonly [key: string]: unknown;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly engines: unknown;
  readonly bin: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly oclif: { readonly topics?: Readonly<Record<string, unknown>>; readonly [key: string]: unknown };
}

/** What is of use on a machine that has an agent and nothing else. */
const commands = /^(agent|systemd|version)(:|$)/;

const start = 'dist/cli/bin/oakctl.js';
/** Static and dynamic imports, and files that are named relative to a module. */
const imports = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]|new URL\(\s*['"](\.[^'"]+)['"]/g;

/** Of no use where nobody develops; sources of native code included. */
const uselessFile =
  /(\.map|\.[cm]?ts|\.md|\.markdown|\.gypi?|\.node|\.cc|\.[ch]|\.ya?ml|\.tsbuildinfo|\/\.[^/]+|\.min\.js|\.exe)$/;
const uselessFolder = new Set([
  '.github',
  'bench',
  'benchmarks',
  'docs',
  'example',
  'examples',
  'test',
  'tests',
  'node_modules',
]);

/** Files of ours and of others, and the texts that are made for the package. `root`: folder of our package, built. */
export function packageContents(root: string): {
  readonly files: readonly PackedFile[];
  readonly texts: Readonly<Record<string, string>>;
  readonly version: string;
} {
  const manifest = readJson<Manifest>(join(root, 'oclif.manifest.json'));
  const own = readJson<PackageJson>(join(root, 'package.json'));
  const kept = Object.entries(manifest.commands).filter(([id]) => commands.test(id));
  const entries = [start, ...kept.map(([, { relativePath = [] }]) => join(...relativePath))];
  const { modules, packages } = reachable(root, entries);
  const files = [...modules, 'LICENSE'].map((to) => ({ from: join(root, to), to }));
  return {
    files: [...files, ...packages.flatMap((folder) => filesOf(root, folder))],
    texts: {
      'oclif.manifest.json': JSON.stringify({ ...manifest, commands: Object.fromEntries(kept) }),
      'package.json': JSON.stringify(ownPackage(own)),
    },
    version: own.version,
  };
}

/** Without what the package has not: other topics, scripts, tools. */
function ownPackage({ name, version, license, engines, bin, oclif }: PackageJson): object {
  const topics = Object.entries(oclif.topics ?? {}).filter(([topic]) => commands.test(topic));
  return {
    name,
    version,
    license,
    type: 'module',
    engines,
    bin,
    oclif: { ...oclif, topics: Object.fromEntries(topics) },
  };
}

/** Modules of ours that the entries load, below `root`, and folders of the packages that those load, with all that these load. Sorted. */
function reachable(root: string, entries: readonly string[]): { modules: string[]; packages: string[] } {
  const modules = new Set<string>();
  const packages = new Set<string>();
  const open = entries.map((entry) => join(root, entry));
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const path = relative(root, file);
    if (modules.has(path) || !file.endsWith('.js') || !existsSync(file)) continue;
    modules.add(path);
    for (const [, imported, named] of readFileSync(file, 'utf8').matchAll(imports)) {
      const target = imported ?? named ?? '';
      if (target.startsWith('.')) open.push(resolve(dirname(file), target));
      else if (!target.startsWith('node:')) addPackage(root, file, packageName(target), packages);
    }
  }
  return { modules: [...modules].sort(), packages: [...packages].sort() };
}

/** A package as `from` finds it, and its dependencies. What cannot be found is built in, or a word that only looks like an import. */
function addPackage(root: string, from: string, name: string, packages: Set<string>): void {
  const folder = findPackage(from, name);
  if (folder === undefined || packages.has(relative(root, folder))) return;
  packages.add(relative(root, folder));
  const file = join(folder, 'package.json');
  for (const needed of Object.keys(readJson<PackageJson>(file).dependencies ?? {}))
    addPackage(root, file, needed, packages);
}

function packageName(target: string): string {
  return target.split('/', target.startsWith('@') ? 2 : 1).join('/');
}

/** Nearest first, as Node looks for it; also above our own package, where a global install puts packages. */
function findPackage(from: string, name: string): string | undefined {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

function filesOf(root: string, folder: string): PackedFile[] {
  // Packages that lie beside ours, not below it, go below it.
  const to = folder.slice(folder.indexOf('node_modules'));
  return listFiles(join(root, folder)).map((path) => ({ from: join(root, folder, path), to: join(to, path) }));
}

/** Files below a folder that are of use, sorted. */
function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    if (entry.isDirectory()) {
      if (uselessFolder.has(entry.name)) return [];
      return listFiles(join(folder, entry.name)).map((path) => join(entry.name, path));
    }
    return entry.isFile() && !uselessFile.test(`/${entry.name}`) ? [entry.name] : [];
  });
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
