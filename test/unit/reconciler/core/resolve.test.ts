import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  resolveApp,
  resolveInstance,
  resolveNode,
  resolveService,
  selectInstances,
} from '../../../../reconciler/core/resolve.ts';

const named = (...names: string[]) => names.map((name) => ({ name }));
const nameOf = (resolution: ReturnType<typeof resolveService>) =>
  resolution.kind === 'found' ? resolution.item.name : resolution.problem.code;

const services = named(
  'shop.prod.web.default',
  'shop.prod.api.default',
  'blog.prod.web.default',
  'cms.prod.web.default',
  'cms.prod.website.default',
);

describe('resolveService', () => {
  it.each([
    ['shop.prod.web.default', 'shop.prod.web.default'],
    ['api', 'shop.prod.api.default'],
    ['blog.web', 'blog.prod.web.default'],
    ['blog', 'blog.prod.web.default'],
    ['shop.prod.a', 'shop.prod.api.default'],
    ['cms.prod.web', 'cms.prod.web.default'],
    ['cms.prod.webs', 'cms.prod.website.default'],
    ['cms.prod.we', 'BAD_REQUEST'],
    ['web', 'BAD_REQUEST'],
    ['shop', 'BAD_REQUEST'],
    ['nothing', 'NOT_FOUND'],
    ['', 'NOT_FOUND'],
  ])('%s is %s', (text, expected) => {
    expect(nameOf(resolveService(services, text))).toBe(expected);
  });

  it('lists the candidates of an ambiguous name', () => {
    const resolution = resolveService(services, 'web');
    expect(resolution).toMatchObject({
      problem: {
        message: '`web` fits 3 services',
        hint: 'one of: blog.prod.web.default, cms.prod.web.default, shop.prod.web.default',
      },
    });
  });
});

it('says which name was probably meant, if one is near', () => {
  const hint = (text: string) => {
    const resolution = resolveService(services, text);
    return resolution.kind === 'problem' ? resolution.problem.hint : undefined;
  };
  expect(hint('shop.prod.wbe.default')).toBe('did you mean `shop.prod.web.default`?');
  expect(hint('apii')).toBe('did you mean `api`?');
  expect(hint('nothing')).toBe('`oakctl services ls` lists what there is');
});

describe('resolveInstance', () => {
  const instances = named(
    'shop.prod.web.default.instance.1',
    'shop.prod.web.default.instance.10',
    'shop.prod.api.default.instance.0',
  );
  it.each([
    ['shop.prod.web.default.instance.1', 'shop.prod.web.default.instance.1'],
    ['shop.prod.web.default.1', 'shop.prod.web.default.instance.1'],
    ['web.instance.1', 'shop.prod.web.default.instance.1'],
    ['shop.web.instance.10', 'shop.prod.web.default.instance.10'],
    ['web.10', 'shop.prod.web.default.instance.10'],
    ['shop.web.1', 'shop.prod.web.default.instance.1'],
    ['api', 'shop.prod.api.default.instance.0'],
    ['web', 'BAD_REQUEST'],
    ['web.2', 'NOT_FOUND'],
    ['shop.prod.a', 'shop.prod.api.default.instance.0'],
  ])('%s is %s', (text, expected) => {
    expect(nameOf(resolveInstance(instances, text))).toBe(expected);
  });

  it('finds every instance by its full name, whatever else there is', () => {
    const slot = fc.integer({ min: 0, max: 200 });
    fc.assert(
      fc.property(fc.uniqueArray(slot, { minLength: 1 }), (slots) => {
        const all = named(...slots.map((n) => `a.b.c.d.instance.${n}`));
        for (const item of all) expect(resolveInstance(all, item.name)).toEqual({ kind: 'found', item });
      }),
    );
  });
});

describe('resolveApp and resolveNode', () => {
  it('takes an application without its namespace', () => {
    expect(nameOf(resolveApp(named('shop.prod', 'shopping.prod'), 'shop'))).toBe('shop.prod');
  });

  it('takes a node by id, alias and IP', () => {
    const nodes = [
      { name: 'pi1', id: 'aa11', aliases: ['kitchen'], ip: '10.0.0.1' },
      { name: 'pi2', id: 'bb22', aliases: ['attic'], ip: '10.0.0.2' },
    ];
    expect(['bb22', 'bb', 'attic', '10.0.0.2', 'pi2'].map((text) => nameOf(resolveNode(nodes, text)))).toEqual(
      Array(5).fill('pi2'),
    );
    expect(nameOf(resolveNode(nodes, 'pi'))).toBe('BAD_REQUEST');
  });
});

describe('selectInstances', () => {
  const instances = ['shop.prod.web.default.instance.0', 'shop.prod.web.default.instance.1'].map((name) => ({
    name,
    service: 'shop.prod.web.default',
  }));

  it('takes a service for all its instances, each once', () => {
    const { items, problems } = selectInstances(instances, services, ['shop.web', 'shop.prod.web.default.instance.1']);
    expect(items).toEqual(instances);
    expect(problems).toEqual([]);
  });

  it('says every name that tells nothing', () => {
    const { problems } = selectInstances(instances, services, ['nothing', 'web', 'neither']);
    expect(problems.map(({ code, subject }) => [code, subject])).toEqual([
      ['NOT_FOUND', 'nothing'],
      ['BAD_REQUEST', 'web'],
      ['NOT_FOUND', 'neither'],
    ]);
  });
});
