/** The files of a microservice as texts: written in the descriptor, or taken from the repository in which it lies. */
import { mountOver } from './descriptor-host.ts';
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { filePathFault } from './host-access.ts';
import { besideOf } from './overlay.ts';
import type { HostAccess, RunFile } from './spec.ts';
import type { Path } from './yaml.ts';

/** Contents of the files that a descriptor names by `from`, as it writes them. */
export type FileTexts = Readonly<Record<string, string>>;

type Written = NonNullable<Microservice['files']>[number];

const usualMode = 0o644;
const writeBits = 0o222;

/** The files of a run spec, sorted by path. */
export function toFiles(
  written: readonly Written[],
  host: HostAccess,
  texts: FileTexts,
  path: Path,
  findings: Findings,
): readonly RunFile[] {
  const files = written.map((file, index) => toFile(file, host, texts, [...path, index], findings));
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const twice = sorted.find((file, index) => sorted.slice(index + 1).some((other) => clash(file, other)));
  if (twice) findings.error('DESCRIPTOR_INVALID', path, `${twice.path} is there twice, or a file and a folder`);
  return sorted;
}

function clash(a: RunFile, b: RunFile): boolean {
  return b.path === a.path || b.path.startsWith(`${a.path}/`);
}

function toFile(written: Written, host: HostAccess, texts: FileTexts, path: Path, findings: Findings): RunFile {
  const at = (key: string): Path => [...path, key];
  const fault = filePathFault(written.path);
  if (fault) findings.error('DESCRIPTOR_INVALID', at('path'), fault);
  const mount = mountOver(written.path, host);
  if (mount) {
    const message = `${written.path} lies in the mount ${mount.target}: it would be written to the host`;
    findings.error('DESCRIPTOR_INVALID', at('path'), message);
  }
  const mode = written.mode === undefined ? usualMode : Number.parseInt(written.mode, 8);
  return {
    path: written.path,
    content: contentOf(written, texts, path, findings),
    mode: written.read_only ? mode & ~writeBits : mode,
  };
}

function contentOf({ content, from }: Written, texts: FileTexts, path: Path, findings: Findings): string {
  if ((content === undefined) === (from === undefined)) {
    findings.error('DESCRIPTOR_INVALID', path, 'a file has either `content` or `from`');
    return '';
  }
  if (from === undefined) return content ?? '';
  const at = [...path, 'from'];
  const fault = referenceFault(from);
  if (fault) {
    findings.error('DESCRIPTOR_INVALID', at, fault, 'config/web.conf, or ./web.conf beside the descriptor');
    return '';
  }
  const text = Object.hasOwn(texts, from) ? texts[from] : undefined;
  if (text === undefined) {
    const hint = 'a path from the root of the repository, or ./path beside the descriptor';
    const shown = besideOf(from) ?? from;
    findings.error('DESCRIPTOR_INVALID', at, `there is no file ${shown} of at most 64 KiB in the repository`, hint);
  } else if (/[\0\ufffd]/.test(text)) {
    findings.error('DESCRIPTOR_INVALID', at, `${from} is no UTF-8 text`, 'build it into the image');
  }
  return text ?? '';
}

/** What is no level of a path in a repository; git's own folder is in the working copy only. */
const noLevels: readonly string[] = ['', '.', '..', '.git'];

/** Why this is no path inside a repository: then nobody looks for it. */
export function referenceFault(from: string): string | undefined {
  const levels = (besideOf(from) ?? from).replace(/^\.\//, '').split('/');
  const plain = levels.every((level) => !noLevels.includes(level.toLowerCase()));
  return plain && !/[\p{Cc}\p{Cf}\\]/u.test(from) ? undefined : `\`${from}\` is no plain path inside the repository`;
}

/** Path from the root of the repository of what a descriptor writes: `./x` lies beside it. `descriptor`: its own path. */
export function referencedPath(from: string, descriptor: string): string {
  if (!from.startsWith('./')) return from;
  const folder = descriptor.includes('/') ? descriptor.slice(0, descriptor.lastIndexOf('/') + 1) : '';
  return `${folder}${from.slice(2)}`;
}

/** Largest file that is looked at, in bytes: a job holds no more. */
export const maxFileBytes = 64 * 1024;
