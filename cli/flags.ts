/** Flags with a type of their own. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { type Advertised, advertiseHint, parseAdvertised } from '../schemas/addresses.ts';
import { holdLimits, parseDuration } from '../schemas/duration.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { actorName } from './services/actor.ts';
import type { Asker } from './services/commit-edit.ts';

/** A duration as `90s`, `5m`, `2h` or seconds; the value is in ms. */
export const durationFlag = Flags.custom<number>({
  helpValue: '<duration>',
  parse: async (text) => {
    const ms = parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
    if (ms !== undefined) return ms;
    throw new ProblemError(
      problem('USAGE', `\`${text}\` is not a duration`, { hint: 'write 90s, 5m, 2h or 30d; a year at most' }),
    );
  },
});

/** A folder that exists; the value is its whole path, since git and the Engine are told of what lies in it from other folders. */
export const folderFlag = Flags.custom<string>({
  parse: async (text) => {
    const folder = resolve(text);
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory()) return folder;
    throw new ProblemError(problem('USAGE', `No directory found at ${folder}`));
  },
});

/** Where others reach what a node publishes. */
export const advertiseFlag = Flags.custom<Advertised>({
  helpValue: '<ip>[:port]',
  parse: async (text) => {
    const advertised = parseAdvertised(text);
    if (typeof advertised === 'object') return advertised;
    throw new ProblemError(problem('USAGE', advertised, { subject: '--advertise', hint: advertiseHint }));
  },
});

/** Of invitations to take the place of a node. */
export const replaceFlags = {
  force: Flags.boolean({ dependsOn: ['replace'], description: 'also of a node that is online' }),
  'accept-empty-volume': Flags.boolean({
    dependsOn: ['replace'],
    description: 'its instances with volumes start with empty ones there; without it they wait',
  }),
};

/** Long and ugly: nobody types it by accident, and everybody who reads it in a script asks. */
export const insecureFlag = 'insecure-outside-loopback-i-know-the-risk';

/** Of verbs that make an override on what git owns. */
export const verbFlags = {
  for: durationFlag({ description: 'how long it holds on what git owns (default 1h)' }),
  reason: Flags.string({ description: 'why, for those who see the override' }),
};

/** Of everything that can commit. */
export const authorFlag = Flags.string({
  dependsOn: ['commit'],
  helpValue: '"Name <mail>"',
  description: 'who commits (default: as git is configured)',
});

/** Where nothing else says which source it is. */
export const sourceFlag = Flags.string({
  dependsOn: ['commit'],
  description: 'for --commit: which git source of the cluster, where it has several',
});

/** Of verbs that can change the repository instead of deviating from it. */
export const commitFlags = {
  commit: Flags.boolean({
    exclusive: ['for'],
    description: 'change the file in the repository, commit and push it, instead of an override',
  }),
  repo: Flags.string({
    dependsOn: ['commit'],
    description: 'working copy for --commit (default: the one around here, else a temporary clone)',
  }),
  author: authorFlag,
};

/** Who asks for a commit, and why. */
export function askerOf(flags: {
  readonly reason?: string | undefined;
  readonly repo?: string | undefined;
  readonly author?: string | undefined;
  readonly source?: string | undefined;
}): Asker {
  return {
    actor: actorName(),
    reason: flags.reason,
    repository: flags.repo,
    author: flags.author,
    source: flags.source,
  };
}

/** What these flags ask for. USAGE for a time that no reconciler takes. */
export function verbRequest(flags: { readonly for?: number | undefined; readonly reason?: string | undefined }): {
  readonly for?: number;
  readonly reason?: string;
} {
  if (flags.for !== undefined && (flags.for < holdLimits.minimum || flags.for > holdLimits.maximum)) {
    const hint = 'write 90s, 5m, 2h or 30d';
    throw new ProblemError(problem('USAGE', 'at least a second, and at most 30 days', { subject: '--for', hint }));
  }
  return {
    ...(flags.for !== undefined && { for: flags.for }),
    ...(flags.reason !== undefined && { reason: flags.reason }),
  };
}
