/** What happened to a node, for people. */
import type { CordonAnswer, TokenAnswer } from '../../schemas/api.ts';
import type { AddedNode } from '../services/add-node.ts';
import type { Drained } from '../services/drain.ts';
import { count } from './counts.ts';
import { type Paint, paintState } from './paint.ts';
import type { ProgressLine } from './progress.ts';

export function cordonText({ node, changed, cordoned }: CordonAnswer): string {
  if (cordoned) return `${node} is ${changed ? '' : 'already '}cordoned: ${cordoned.cause}`;
  return changed ? `${node} takes instances again` : `${node} is not cordoned`;
}

/** One line per instance: gone, or what it waits for. */
export function drainLines({ moved, left }: Drained, paint: Paint): readonly ProgressLine[] {
  return [
    ...moved.map((key) => ({ key, text: `${key}  ${paintState(paint, 'healthy')} elsewhere` })),
    ...left.map(({ instance, message }) => ({ key: instance, text: `${instance}  ${paint.dim(message)}` })),
  ];
}

export function renderDrained({ node, moved, left, apart }: Drained, paint: Paint): string {
  const lines = (word: string, list: Drained['apart']) =>
    list.map(({ instance, message }) => `  ${word} ${instance}: ${message}`);
  const head = left.length === 0 ? `${node} is drained` : `${node} is not drained, ${left.length} left`;
  return [
    `${paint.strong(head)}: ${count(moved.length, 'instance')} moved`,
    ...lines('left', left),
    ...lines('stays', apart),
  ].join('\n');
}

/** What becomes of a node, and of the machine that it was. */
export function replacementText({ node, state, data, cordoned }: NonNullable<TokenAnswer['replaces']>): string {
  const waits = data.length === 1 ? 'It waits' : 'They wait';
  return [
    `${node} (${state}) stays what it is until the new machine has reported; then the old one is shut out.`,
    ...(state === 'lost' ? ['What was replaced elsewhere stays there.'] : []),
    ...(state === 'online' ? ["What runs on the old one goes on there, and is nobody's: end it, or the machine."] : []),
    ...(data.length === 0
      ? []
      : [
          `The data of ${data.join(', ')} is on the old machine. ${waits} until somebody says, for each,`,
          `  oakctl move <instance> --to ${node} --accept-empty-volume`,
          'or make the token with --accept-empty-volume: then all start with empty volumes.',
        ]),
    ...(cordoned ? [`It stays cordoned (${cordoned.cause}): oakctl nodes uncordon ${node}`] : []),
  ].join('\n');
}

/** What a new node cannot read, and what changes that. */
export function unreadableText({
  secrets,
  node_secrets,
}: Pick<AddedNode, 'secrets' | 'node_secrets'>): readonly string[] {
  const them = (names: readonly string[]) =>
    `${names.length === 1 ? 'the secret' : `${names.length} secrets`} ${names.join(', ')}`;
  return [
    ...(secrets.length > 0
      ? [`It cannot read ${them(secrets)} yet: once it has joined, \`oakctl secret rekey --commit\`.`]
      : []),
    ...(node_secrets.length > 0
      ? [
          `It does not have ${them(node_secrets)}: services take them from files of their node (\`secrets\` in agent.yaml).`,
        ]
      : []),
  ];
}
