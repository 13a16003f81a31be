/** Checks files as the reconciler would, without one. */
import { basename } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { classifyFile } from '../../schemas/classify.ts';
import {
  checkServices,
  type ParsedDescriptor,
  type ParsedService,
  parseDescriptor,
  servicesInForce,
} from '../../schemas/descriptor.ts';
import { parseNodesFile } from '../../schemas/nodes-file.ts';
import type { Problem } from '../../schemas/problem.ts';
import { belowRoot, clustersIn, selectPaths } from '../../schemas/selection.ts';
import { parseClusterSettings, parseRepositorySettings } from '../../schemas/settings.ts';

export interface Validated {
  readonly services: readonly ParsedService[];
  readonly problems: readonly Problem[];
  /** Files that were checked, and that oakctl would pass over. */
  readonly checked: readonly string[];
  readonly ignored: readonly string[];
}

/** Documents as named on the command line: each must be something that oakctl reads. */
export function validateFiles(documents: readonly DocumentText[]): Validated {
  return collect(documents.map((document) => check(document, kindByName(document.file))));
}

/** Documents of one folder, with paths relative to it, as if it were a repository. */
export function validateFolder(documents: readonly DocumentText[]): Validated {
  const clusters = clustersIn(documents.map(({ file }) => file));
  if (clusters.length === 0) return collect(documents.map((document) => inRepository(document, document.file)));
  const known = rememberedChecks();
  const byCluster = clusters.map((cluster) => {
    const where = { cluster, path: '' };
    const own = selectPaths(
      documents.map((document) => ({ document, path: document.file })),
      where,
    );
    return own.map(({ document }) => known(document, belowRoot(document.file, where)));
  });
  return together(documents, byCluster.map(collect));
}

/** What is in `common/` is the same for all clusters: it is checked once. */
function rememberedChecks(): typeof inRepository {
  const checks = new Map<DocumentText, Checked>();
  return (document, path) => {
    const found = checks.get(document) ?? inRepository(document, path);
    checks.set(document, found);
    return found;
  };
}

/** `path`: where it lies below what its cluster reads. */
function inRepository(document: DocumentText, path: string): Checked {
  const found = classifyFile(path, document.text);
  if (found.kind !== 'invalid') return check(document, found.kind);
  return { ...nothing(document), problems: found.problems.map((one) => ({ ...one, file: document.file })) };
}

/** What several clusters read of one repository: what two of them have is told once, and what nobody reads is ignored. */
function together(documents: readonly DocumentText[], all: readonly Validated[]): Validated {
  const checked = new Set(all.flatMap((one) => one.checked));
  return {
    services: [...new Map(all.flatMap((one) => one.services).map((one) => [JSON.stringify(one.spec), one])).values()],
    problems: [...new Map(all.flatMap((one) => one.problems).map((one) => [JSON.stringify(one), one])).values()],
    checked: [...checked],
    ignored: documents.map(({ file }) => file).filter((file) => !checked.has(file)),
  };
}

type Kind = 'descriptor' | 'nodes' | 'settings' | 'cluster' | 'ignored';

/** Named files are what their name says; everything else should be a descriptor. */
function kindByName(file: string): Kind {
  const kinds: Record<string, Kind> = { 'nodes.yaml': 'nodes', 'oakctl.yaml': 'settings', 'cluster.yaml': 'cluster' };
  return kinds[basename(file)] ?? 'descriptor';
}

interface Checked {
  readonly file: string;
  readonly ignored: boolean;
  readonly services: readonly ParsedService[];
  readonly patches: readonly string[];
  readonly problems: readonly Problem[];
}

function nothing({ file }: DocumentText): Checked {
  return { file, ignored: false, services: [], patches: [], problems: [] };
}

function check(document: DocumentText, kind: Kind): Checked {
  const { file, text, files } = document;
  switch (kind) {
    case 'descriptor':
      return { ...nothing(document), ...pick(parseDescriptor(text, file, files ? { files } : {})) };
    case 'nodes':
      return { ...nothing(document), problems: parseNodesFile(text, file).problems };
    case 'settings':
      return { ...nothing(document), problems: parseRepositorySettings(text, file).problems };
    case 'cluster':
      return { ...nothing(document), problems: parseClusterSettings(text, file).problems };
    case 'ignored':
      return { ...nothing(document), ignored: true };
  }
}

function pick({ services, patches, problems }: ParsedDescriptor) {
  return { services, patches, problems };
}

/** Names must be unique over all files together. A file's own clashes were told with the file. */
function collect(checked: readonly Checked[]): Validated {
  const services = servicesInForce(checked);
  const own = checked.flatMap((one) => one.problems);
  const told = new Set(own.map((p) => `${p.code} ${p.subject}`));
  const across = checkServices(services).filter((p) => !told.has(`${p.code} ${p.subject}`));
  return {
    services,
    problems: [...own, ...across],
    checked: checked.filter((one) => !one.ignored).map((one) => one.file),
    ignored: checked.filter((one) => one.ignored).map((one) => one.file),
  };
}
