/** The git sources of the settings: a mirror per repository, and the places where is told what became of what is read. */
import { join } from 'node:path';
import type { Log } from '../schemas/io/log.ts';
import type { Clock } from '../schemas/ports.ts';
import type { ClusterSettings } from '../schemas/settings.ts';
import type { Source } from './context.ts';
import { createGitRepository, type GitRepository, type GitRepositoryOptions } from './git/repository.ts';
import { createGitSource } from './git/source.ts';
import { createStatusRef } from './git/status-ref.ts';
import type { Metrics } from './metrics/metrics.ts';
import { createCommitStatus } from './notify/commit-status.ts';
import type { ReportSink } from './write-back.ts';

export interface OpenedSources {
  readonly sources: readonly Source[];
  readonly sinks: readonly ReportSink[];
}

interface Opened {
  readonly repository: GitRepository;
  readonly statusRef: (source: string) => ReportSink;
}

/** `folder`: the cluster's. SETTINGS_INVALID for what git must not get. */
export function openSources(
  folder: string,
  settings: Pick<ClusterSettings, 'cluster' | 'sources'>,
  { clock, log, metrics }: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
): OpenedSources {
  const { cluster } = settings;
  const opened = new Map<string, Opened>();
  const sinks: ReportSink[] = [];
  const sources = settings.sources.map((source) => {
    const { name, url, branch, access, writeBack, commitStatus } = source;
    const key = JSON.stringify([url, access]);
    const known = opened.get(key) ?? open({ name, url, access, folder: join(folder, 'state', 'sources', name), log });
    opened.set(key, known);
    if (writeBack) sinks.push(known.statusRef(name));
    if (commitStatus) sinks.push(createCommitStatus(name, cluster, commitStatus));
    const git = metrics.git(name, createGitSource({ name, branch, repository: known.repository }));
    return { ...source, repository: key, git };
  });
  function open(options: GitRepositoryOptions): Opened {
    const repository = createGitRepository(options);
    return { repository, statusRef: createStatusRef({ cluster, now: () => clock.now().wall, repository }) };
  }
  return { sources, sinks };
}
