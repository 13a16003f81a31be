/** What a node is told of keys, in its assignment: nothing as long as they are those with which it joined. */
import type { TrustNews } from '../schemas/trust.ts';
import type { NodeRecord } from './core/model.ts';
import type { Keys } from './ports.ts';

export function trustOf(keys: Pick<Keys, 'news'>, node: NodeRecord | undefined): { readonly trust?: TrustNews } {
  const news = keys.news();
  const serial = node?.next?.serial;
  if (news.revision === 0 && serial === undefined) return {};
  return { trust: { ...news, ...(serial !== undefined && { serial }) } };
}
