import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const settings = 'cluster: test\nnode_class: lan\ncpu_overcommit: 16\nlabels: {tier: small}\n';
const common = (image = '1'): string =>
  descriptor([{ microservice_name: 'web', code: `oakctl/test:${image}` }, { microservice_name: 'db' }]);
const patch = (more: object): string => {
  const microservices = [{ microservice_name: 'web', ...more }];
  return JSON.stringify({ patch: 'common/shop.yaml', applications: [{ application_name: 'shop', microservices }] });
};
const tree = (over: string | undefined, base = common()): Record<string, string> => ({
  'common/shop.yaml': base,
  'clusters/other/shop.yaml': patch({ code: 'oakctl/test:other' }),
  'clusters/test/notes.txt': 'ours',
  ...(over === undefined ? {} : { 'clusters/test/shop.yaml': over }),
});

/** What a cluster says of its own over what all of them share: the same way by push, by plan and by hand. */
describe('an overlay', () => {
  let cluster: MemoryCluster;
  const { service, settled, instancesOf } = tell(() => cluster);
  const documentOf = (name: string) => cluster.reconciler.control.services().find((one) => one.name === service(name));
  const imageOf = (name: string) => documentOf(name)?.image;

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('that comes, changes and goes moves nothing but what it speaks of', async () => {
    cluster = await createMemoryCluster({ settings });
    await cluster.push(tree(undefined));
    await settled('web', 'db');
    const db = instancesOf('db');
    const before = cluster.handles();
    // It says what is said already.
    await cluster.push(tree(patch({ code: 'oakctl/test:1' })));
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
    expect(documentOf('web')).toMatchObject({ file: 'clusters/test/shop.yaml' });
    await cluster.push(tree(patch({ code: `oakctl/test:\${cluster.label.tier}` })));
    await cluster.clock.until(() => imageOf('web') === 'oakctl/test:small', 60_000, 'the patch is in force');
    await settled('web', 'db');
    expect(instancesOf('db')).toEqual(db);
    await cluster.push(tree(undefined));
    await cluster.clock.until(() => imageOf('web') === 'oakctl/test:1', 60_000, 'the patch is gone');
    await settled('web', 'db');
    expect(instancesOf('db')).toEqual(db);
    expect(cluster.reconciler.control.holds()).toEqual([]);
  });

  it('that is broken, or whose file is, keeps both as they were, also over restarts and without state/', async () => {
    cluster = await createMemoryCluster({ settings });
    await cluster.push(tree(patch({ memory: 65 })));
    await settled('web', 'db');
    const before = cluster.handles();
    for (const files of [
      tree('applications: [', common('2')),
      tree(patch({ memory: 65 }), 'applications: ['),
      tree(patch({ code: `oakctl/test:\${cluster.label.none}` }), common('2')),
    ]) {
      await cluster.push(files);
      await cluster.clock.advance(30_000);
      expect(cluster.reconciler.control.status().sources[0]?.problems).not.toEqual([]);
      await cluster.restartReconciler();
      await cluster.clock.advance(30_000);
      cluster.state.content.clear();
      await cluster.restartReconciler();
      await cluster.clock.advance(60_000);
      expect(cluster.handles()).toEqual(before);
    }
    await cluster.push(tree(patch({ memory: 65 }), common('2')));
    await cluster.clock.until(() => imageOf('web') === 'oakctl/test:2', 60_000, 'mended');
    await settled('web', 'db');
  });

  it('is planned as it will be read', async () => {
    cluster = await createMemoryCluster({ settings });
    await cluster.push(tree(undefined));
    await settled('web', 'db');
    const over = patch({ code: `oakctl/test:\${cluster.label.tier}` });
    const documents = Object.entries(tree(over)).map(([file, text]) => {
      return { file, text, ...(text === over && { files: { 'patch:common/shop.yaml': common() } }) };
    });
    const plan = await cluster.reconciler.control.plan({ documents, asSource: true });
    expect(plan.problems).toEqual([]);
    expect(plan.changes.map(({ action, subject }) => [action, subject])).toEqual([
      ['replace', `${service('web')}.instance.0`],
    ]);
  });
});
