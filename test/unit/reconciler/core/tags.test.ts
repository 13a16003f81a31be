import { describe, expect, it } from 'vitest';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { imageToAsk, renewedTag, type Tags, taggedImage, usefulTags } from '../../../../reconciler/core/tags.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { emptyPart } from '../../../../schemas/assignment.ts';
import type { Job } from '../../../../schemas/messages.ts';
import {
  aCluster,
  aNodeRecord,
  aPolicy,
  aRun,
  aService,
  at,
  information,
  type ServiceOptions,
  wanted,
} from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const service = 'shop.default.web.default';
const content = (digit: string): string => `sha256:${digit.repeat(64)}`;
const version = (n: number, more: ServiceOptions = {}) =>
  wanted(aService({ run: aRun(`r.org/app:${n}`), replicas: 2, ...more }));
const digest = (n: number): string => version(n).spec.digest;

const know = ({ world }: Pick<Fleet, 'world'>, tags: Tags): void => {
  apply(world, { kind: 'tags', service, tags });
};
/** Contents of the jobs of a version, as they are told to nodes. */
const jobs = ({ world }: Pick<Fleet, 'world'>, n: number): (string | undefined)[] =>
  [...(world.copies.get(service)?.values() ?? [])].flatMap(({ job }) =>
    job?.digest === digest(n) ? [job.content] : [],
  );

describe('the tag of an image', () => {
  it.each([
    ['app', 'app'],
    ['r.org:5000/team/app:2', 'r.org:5000/team/app:2'],
    [`r.org/app:2@${content('a')}`, undefined],
    [`r.org/app@${content('a')}`, undefined],
    ['r.org/app::2', undefined],
  ])('is one that may move: %s', (code, image) => {
    expect(taggedImage({ virtualization: 'container', code })).toBe(image);
  });

  it('is not what a process is made of', () =>
    expect(taggedImage({ virtualization: 'process', code: '/bin/true' })).toBeUndefined());
});

describe('a version', () => {
  it('waits while its tag is asked for, and the version before it goes on; then every copy is of that content', () => {
    const fleet = aFleet(3);
    fleet.want(version(1));
    fleet.run(20_000);
    fleet.want(version(2));
    know(fleet, { known: {}, asked: digest(2) });
    const [plan] = fleet.run(5_000);
    expect(plan?.holds.map(({ code, message }) => `${code} ${message}`)).toContain(
      'IN_PROGRESS the registry is asked what the tag of its image stands for',
    );
    expect(jobs(fleet, 1)).toEqual([undefined, undefined]);
    expect(jobs(fleet, 2)).toEqual([]);
    know(fleet, { known: { [digest(2)]: { content: content('a') } } });
    expect(fleet.world.dirty.has(service)).toBe(true);
    fleet.run(60_000);
    expect(jobs(fleet, 2)).toEqual([content('a'), content('a')]);
    // A copy that is started later, though the tag may have moved.
    fleet.kill(1);
    fleet.run(60_000);
    expect(new Set(jobs(fleet, 2))).toEqual(new Set([content('a')]));
  });

  it('that nobody knows of is started by its tag', () => {
    const fleet = aFleet(2);
    know(fleet, { known: { [digest(1)]: { why: 'REGISTRY_UNREACHABLE: away' } } });
    fleet.want(version(1));
    fleet.run(20_000);
    expect(jobs(fleet, 1)).toEqual([undefined, undefined]);
  });

  it('is planned as if the answer was there: a dry run waits for nobody', () => {
    const fleet = aFleet(2);
    fleet.want(version(1));
    know(fleet, { known: {}, asked: digest(1) });
    expect(planAll(fleet.world, fleet.policy, at(fleet.now())).actions).toEqual([]);
    expect(planAll(fleet.world, { ...fleet.policy, isDryRun: true }, at(fleet.now())).actions).toHaveLength(2);
  });

  it('that fails goes back to the content of the one before', () => {
    const fleet = aFleet(3);
    const bad = wanted(aService({ run: aRun('bad:2'), replicas: 2 }));
    const known = { [digest(1)]: { content: content('a') }, [bad.spec.digest]: { content: content('b') } };
    fleet.want(version(1));
    know(fleet, { known });
    fleet.run(30_000);
    fleet.want(bad);
    fleet.run(120_000);
    fleet.kill(1);
    fleet.run(60_000);
    expect(new Set(jobs(fleet, 1))).toEqual(new Set([content('a')]));
    expect(usefulTags(fleet.world, service, bad)).toBe(fleet.world.tags.get(service)?.known);
  });

  it('has its content told only to agents that know of it', () => {
    const cluster = aCluster();
    const { fields } = information(1, 0);
    cluster.join(1, 0, { fields: fields.filter((field) => field !== 'content') });
    cluster.want(version(1, { replicas: 1 }));
    know(cluster, { known: { [digest(1)]: { content: content('a') } } });
    const { actions } = planAll(cluster.world, aPolicy(), at(0));
    expect(actions).toMatchObject([{ kind: 'start', node: 'node1' }]);
    expect(actions[0]).not.toHaveProperty('content');
  });

  it('is known again from a ledger, and what is on record counts more', () => {
    const told: Job = {
      instance: `${service}.instance.0`,
      copy: '1.1',
      want: 'run',
      runtime: 'docker',
      digest: digest(1),
      source: { name: 'main' },
      content: content('a'),
    };
    const part = { ...emptyPart, jobs: [told], documents: { [digest(1)]: version(1).spec.run } };
    const read = (tags?: Tags) => {
      const cluster = aCluster();
      if (tags) know(cluster, tags);
      apply(cluster.world, { kind: 'node', record: aNodeRecord(1) });
      apply(cluster.world, { kind: 'ledger', node: 'node1', part });
      return cluster.world.tags.get(service)?.known;
    };
    expect(read()).toEqual({ [digest(1)]: { content: content('a') } });
    const known = { [digest(1)]: { content: content('b') } };
    expect(read({ known })).toBe(known);
  });
});

describe('what is asked', () => {
  it('is the tag of a version that is new, once', () => {
    const fleet = aFleet(2);
    const one = version(1);
    const asks = (): string | undefined => imageToAsk(fleet.world, one);
    expect(asks()).toBe('r.org/app:1');
    know(fleet, { known: {}, asked: one.spec.digest });
    expect(asks()).toBeUndefined();
    know(fleet, { known: { [one.spec.digest]: { why: 'away' } } });
    expect(asks()).toBeUndefined();
    const stop = { id: 'a', service, change: { kind: 'stop' }, actor: 'ann', since: at(0).wall, base: '' } as const;
    know(fleet, { known: {} });
    expect(imageToAsk(fleet.world, { ...one, stopped: stop })).toBeUndefined();
    expect(imageToAsk(fleet.world, undefined)).toBeUndefined();
  });

  it('is not the tag of what runs since nobody asked', () => {
    const fleet = aFleet(2);
    fleet.want(version(1));
    fleet.run(20_000);
    expect(imageToAsk(fleet.world, version(1))).toBeUndefined();
    expect(imageToAsk(fleet.world, version(2))).toBe('r.org/app:2');
  });
});

it('what is known of versions that nobody can come back to is forgotten', () => {
  const fleet = aFleet(2);
  const all = { [digest(1)]: { content: content('a') }, [digest(2)]: { content: content('b') } };
  fleet.want(version(1));
  know(fleet, { known: all });
  fleet.run(30_000);
  expect(usefulTags(fleet.world, service, version(1))).toEqual({ [digest(1)]: { content: content('a') } });
  expect(usefulTags(fleet.world, service, version(2))).toBe(all);
  fleet.want(version(2));
  fleet.run(120_000);
  expect(usefulTags(fleet.world, service, version(2))).toEqual({ [digest(2)]: { content: content('b') } });
  expect(usefulTags(aCluster().world, service, undefined)).toEqual({});
});

it('asked for anew, the content before is kept as long as somebody may go back to it', () => {
  expect(renewedTag(undefined, content('a'))).toEqual({ content: content('a'), before: {} });
  expect(renewedTag({ content: content('a') }, content('a'))).toEqual({ content: content('a') });
  const twice = renewedTag({ content: content('b'), before: { content: content('a') } }, content('c'));
  expect(twice).toEqual({ content: content('c'), before: { content: content('b') } });
});
