/** `nodes cordon` and `uncordon` with `--commit`: `cordon` in the node's entry of nodes.yaml. */
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { CordonAnswer, DocumentText } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { parseNodesFile } from '../../schemas/nodes-file.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { NodeView } from '../../schemas/views.ts';
import { syncTo } from './commit.ts';
import {
  type Asker,
  type CommitNote,
  commitChange,
  inRepository,
  type Repository,
  requireClean,
  requireOwn,
  rootsOf,
} from './commit-edit.ts';
import { editYaml, type YamlEdit, yamlDocuments } from './yaml-edit.ts';

type Api = Pick<ApiClient, 'status' | 'node' | 'services' | 'sync' | 'uncordon'>;

export interface CommittedCordon extends CordonAnswer {
  readonly commit: CommitNote;
}

/**
 * Writes, commits, pushes and waits until the cluster has accepted it. A cordon by hand ends with that: nodes.yaml says it now, or says
 * that there is none. One that drains goes on until `uncordon`.
 */
export async function commitCordon(
  api: Api,
  asked: { readonly node: string; readonly cordon: boolean },
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedCordon> {
  const view = await api.node(asked.node, signal);
  const status = await api.status(signal);
  const commit = await inRepository(status, asker, signal, (repository) =>
    writeCordon(repository, view, asked.cordon, asker),
  );
  await syncTo(api, { ...commit, files: [commit.file], wanted: [] }, signal);
  const isByHand = view.cordoned?.actor !== undefined && (!asked.cordon || view.drain === undefined);
  if (isByHand) await api.uncordon(view.name, asker.actor, signal);
  const { cordoned } = await api.node(view.name, signal);
  return { node: view.name, changed: commit.changed || isByHand, ...(cordoned && { cordoned }), commit };
}

async function writeCordon(repository: Repository, view: NodeView, cordon: boolean, asker: Asker): Promise<CommitNote> {
  const { document, index, line } = await entryOf(repository, view);
  requireOwn(repository, document.file, line);
  await requireClean(repository, document.file);
  const edited = setCordon(document, index, cordon);
  const { file, text } = document;
  const subject = `${cordon ? 'Cordon' : 'Uncordon'} ${view.name}`;
  return commitChange(repository, { file, line: edited.line, before: text, text: edited.text, subject }, asker);
}

interface Entry {
  readonly document: DocumentText;
  readonly index: number;
  readonly line: number;
}

/** By name, else by IP, as the cluster matches them. */
async function entryOf(repository: Repository, node: NodeView): Promise<Entry> {
  let byIp: Entry | undefined;
  for (const document of await nodesFiles(repository)) {
    const { problems } = parseNodesFile(document.text, document.file);
    const errors = problems.filter(({ severity }) => severity !== 'warning');
    if (errors.length > 0) throw new ProblemError(errors);
    for (const [index, { hostname, IP }] of itemsOf(document.text).entries()) {
      const entry = { document, index, line: lineOf(document.text, index) };
      if (hostname === node.name) return entry;
      if (node.ip !== undefined && IP === node.ip) byIp ??= entry;
    }
  }
  if (byIp) return byIp;
  const hint = 'add one there, or cordon it without --commit';
  throw new ProblemError(
    problem('NOT_FOUND', 'no entry of nodes.yaml is about it', { subject: `node/${node.name}`, hint }),
  );
}

/** Where entries count: at the root of what the cluster reads. */
async function nodesFiles(repository: Repository): Promise<readonly DocumentText[]> {
  const files = rootsOf(repository).map((folder) => posix.join(folder, 'nodes.yaml'));
  const texts = await Promise.all(
    files.map((file) => readFile(join(repository.copy.root, file), 'utf8').catch(() => undefined)),
  );
  return files.flatMap((file, at) => (texts[at] === undefined ? [] : [{ file, text: texts[at] }]));
}

interface Item {
  readonly hostname?: unknown;
  readonly IP?: unknown;
  readonly cordon?: unknown;
}

function itemsOf(text: string): readonly Item[] {
  const items = yamlDocuments(text).find((one) => Array.isArray(one)) as
    | readonly { readonly node?: Item }[]
    | undefined;
  return (items ?? []).map(({ node }) => node ?? {});
}

function editOf(text: string, index: number, value: boolean): YamlEdit {
  const document = yamlDocuments(text).findIndex((one) => Array.isArray(one));
  return { document, path: [index, 'node'], key: 'cordon', value, after: 'hostname' };
}

function lineOf(text: string, index: number): number {
  return editYaml(text, editOf(text, index, true))?.line ?? 1;
}

function setCordon({ file, text }: DocumentText, index: number, cordon: boolean): { text: string; line: number } {
  const isCordoned = itemsOf(text)[index]?.cordon === true;
  const line = lineOf(text, index);
  if (isCordoned === cordon) return { text, line };
  const edited = editYaml(text, editOf(text, index, cordon));
  const wanted = parseNodesFile(text, file).listings.map((one, at) =>
    at === listingAt(text, index) ? { ...one, cordon } : one,
  );
  if (edited && isSame(parseNodesFile(edited.text, file).listings, wanted)) return edited;
  const hint = `write \`cordon: ${cordon}\` there, commit and push`;
  throw new ProblemError(
    problem('REFUSED', 'it cannot be changed in place without changing more', { file, line, hint }),
  );
}

/** Entries for custom orchestrators are no nodes. */
function listingAt(text: string, index: number): number {
  return itemsOf(text)
    .slice(0, index)
    .filter(({ hostname }) => hostname !== undefined).length;
}

function isSame(a: readonly object[], b: readonly object[]): boolean {
  const sorted = (list: readonly object[]) =>
    list.map((one) => Object.entries(one).sort(([x], [y]) => (x < y ? -1 : 1)));
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}
