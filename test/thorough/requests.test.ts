/** Requests to every route of the API, made of its own schemas: by nobody, with tokens that open nothing, and by people. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { operationGroups } from '../../reconciler/api/openapi/document.ts';
import type { Operation } from '../../reconciler/api/openapi/operation.ts';
import type { Context } from '../../reconciler/context.ts';
import { hasRight, isLimited, type Right } from '../../reconciler/core/rights.ts';
import { limitControl } from '../../reconciler/limited-control.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { describedBy } from '../support/described.ts';
import { fakeControlPlane, watchControl } from '../support/fake-control-plane.ts';
import { createCallers, type Shown, someStep } from '../support/fuzz/callers.ts';
import { campaign } from '../support/fuzz/campaign.ts';
import { requireThat } from '../support/fuzz/closed-type.ts';
import { fromSchema, someMood } from '../support/fuzz/from-schema.ts';
import { onTheWire, tokenSoup, wellFormed } from '../support/fuzz/mutate.ts';
import type { Dice } from '../support/fuzz/random.ts';
import { anything, someText } from '../support/fuzz/values.ts';
import { injectedApi } from '../support/injected-api.ts';
import { memoryApplications } from '../support/memory-accounts.ts';
import { web, wholeAudit, wholeControl, wholeNotifier, wholeShelf } from '../support/whole-control-plane.ts';

const { accounts, someCaller } = await createCallers();

/** What the control plane was asked for by one request. */
const asking = new AsyncLocalStorage<string[]>();
const watched = watchControl(fakeControlPlane(wholeControl), (name) => void asking.getStore()?.push(name));
const { desk, ownership } = memoryApplications();
const { settings } = parseClusterSettings('cluster: test', 'cluster.yaml');
const api = injectedApi(watched, {
  accounts,
  oakestra: desk,
  limit: (caller) => limitControl({ deps: { settings } as unknown as Context['deps'] }, ownership, watched, caller),
  shelf: wholeShelf,
  notifier: wholeNotifier,
  audit: wholeAudit,
  webhooks: { mayCall: () => true, receive: async () => ({ woken: [] }) },
});
const routes = await api.routes();
const described = describedBy(routes);
const operations = Object.assign({}, ...operationGroups.map((group) => group.operations)) as Record<string, Operation>;
/** What may be asked of it by who shows no token: proofs, states, and what looks at a credential by itself. */
const openly = ['identity', 'vitals', 'join', 'register', 'standing', 'renewCredential', 'pullSources'];

/** Longest text that a route takes for a name, and a little less. */
const mostName = 500;
const known = [
  web,
  `${web}.instance.0`,
  'pi1',
  'shop.default',
  'ben',
  'github',
  'ab12',
  '0',
  '-1',
  'start.js',
  'r:5000',
];
const queries = [
  'name',
  'subject',
  'nonce',
  'after',
  'follow',
  'tail',
  'source',
  'actor',
  'last',
  'who',
  'outcome',
  '__proto__',
];

function someUrl(url: string, dice: Dice): { readonly url: string; readonly isLong: boolean } {
  let isLong = false;
  const path = url.replace(/:\w+/g, () => {
    const step = encodeURIComponent(someStep(dice, known));
    isLong ||= step.length > mostName;
    return step;
  });
  const query = Array.from({ length: dice.chance(0.3) ? 1 + dice.upTo(3) : 0 }, () => {
    const value = encodeURIComponent(String(wellFormed(dice.pick(['true', '0'.repeat(32), 'latest', someText(dice)]))));
    return `${dice.pick(queries)}=${value}`;
  });
  return { url: path + (query.length > 0 ? `?${query.join('&')}` : ''), isLong };
}

function someBody(key: string, dice: Dice): string | undefined {
  const body = operations[key]?.body;
  if (dice.chance(0.05)) return tokenSoup(dice);
  if (!body) return dice.chance(0.3) ? onTheWire(anything(dice), dice) : undefined;
  return dice.chance(0.1) ? undefined : onTheWire(fromSchema(body, dice, someMood(dice)), dice);
}

/** Of these everybody sees the own one only. */
const aboutAccounts = /^\w+ \/api\/(user|permission)\//;
/** What changes nothing: it is asked for to know whose something is. */
const looks = ['apps', 'services', 'service', 'registered', 'instances', 'overrides', 'holds', 'why', 'status'];

interface Asked {
  readonly what: string;
  readonly status: number;
  readonly right: Right;
  readonly asked: readonly string[];
}

function requireNoWayIn({ what, status, right, asked }: Asked, { caller }: Shown): void {
  if (right === 'open' || right === 'node') {
    const more = asked.filter((name) => !openly.includes(name));
    requireThat(more.length === 0, `${what}: it asked for ${more.join(', ')} for nobody`);
    return;
  }
  if (caller && hasRight(caller, right)) {
    const mayBeOfOthers = isLimited(caller) || aboutAccounts.test(what);
    requireThat(status !== 401 && (status !== 403 || mayBeOfOthers), `${what}: ${status} for ${caller.name}, who may`);
    const changes = status === 403 ? asked.filter((name) => !looks.includes(name)) : [];
    requireThat(changes.length === 0, `${what}: refused, and it asked for ${changes.join(', ')}`);
    return;
  }
  requireThat(status === (caller ? 403 : 401), `${what}: ${status} for ${caller?.name ?? 'nobody'}`);
  requireThat(asked.length === 0, `${what}: refused, and it asked for ${asked.join(', ')}`);
}

campaign({
  name: 'requests to every route',
  share: 0.2,
  least: 20_000,
  accepted: 0.15,
  async one(dice) {
    const { method, url: route, right } = dice.pick(routes);
    const { url, isLong } = someUrl(route, dice);
    const body = someBody(`${method} ${route}`, dice);
    const shown = someCaller(dice);
    const type = dice.chance(0.95)
      ? 'application/json'
      : dice.pick(['text/plain', 'application/xml', 'a', 'multipart/form-data']);
    const asked: string[] = [];
    const headers = { authorization: shown.authorization, ...(body !== undefined && { 'content-type': type }) };
    const answer = await asking.run(asked, () => api.request(method as 'GET', url, body, headers));
    const { status } = answer;
    const what = `${method} ${url} ${body ?? ''}`.slice(0, 2_000);
    requireThat(status < 500 || status === 501, `${what}: ${status} ${answer.text} ${api.log.at(-1)}`);
    if (isLong) return 'refused';
    requireNoWayIn({ what, status, right, asked }, shown);
    if (method !== 'HEAD') {
      const fault = described.fault({ method, url, ...answer });
      requireThat(fault === '', fault);
    }
    return status < 300 ? 'accepted' : 'refused';
  },
});
