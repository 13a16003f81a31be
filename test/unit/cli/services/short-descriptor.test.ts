import { expect, it } from 'vitest';
import { shortDescriptor } from '../../../../cli/services/short-descriptor.ts';
import { parseDescriptor } from '../../../../schemas/descriptor.ts';
import type { ServiceSpec } from '../../../../schemas/spec.ts';

const specOf = (text: string): ServiceSpec => {
  const { services, problems } = parseDescriptor(text, 'shop.yaml');
  expect(problems.filter(({ severity }) => severity !== 'warning')).toEqual([]);
  return services[0]?.spec as ServiceSpec;
};
const shop = (service: string, app = 'shop'): string =>
  `sla_version: v2.0\napplications:\n  - application_name: ${app}\n    microservices:\n      - microservice_name: web\n${service}`;
const image = '        code: nginx:1\n';

it.each([
  ['nothing beside the image', image],
  ['its number', `${image}        replicas: 3\n`],
  ['one of several members', `${image}        update:\n          settle: 1s\n`],
  [
    'what decides its digest, and where it runs',
    `${image}        memory: 20\n        limits:\n          memory: 64\n        constraints:\n          - type: direct\n            node: pi1;pi2\n`,
  ],
])('says %s, and no default', (_, service) => {
  const text = shop(service);
  expect(shortDescriptor(specOf(text), 'as it was')).toBe(`# as it was\n${text}`);
});

it('names namespaces that are not the default', () => {
  const spec = specOf(shop(`        microservice_namespace: blue\n${image}`, 'shop\n    application_namespace: eu'));
  const again = specOf(shortDescriptor(spec, 'as it was') ?? '');
  expect(again).toEqual(spec);
  expect(again.name).toBe('shop.eu.web.blue');
});

it('is none of what a text alone cannot say', () => {
  const spec = specOf(shop(image));
  const secrets = [{ name: 'key', path: '/run/secrets/key', mode: 0o400, version: '7' }];
  expect(shortDescriptor({ ...spec, run: { ...spec.run, secrets } } as ServiceSpec, 'as it was')).toBeUndefined();
});
