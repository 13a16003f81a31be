import { describe, expect, it } from 'vitest';
import { checkServices, parseDescriptor } from '../../../schemas/descriptor.ts';

const file = (services: Readonly<Record<string, readonly string[]>>, app = 'shop'): string => {
  const microservices = Object.entries(services).map(([key, depends_on]) => {
    const [microservice_name, microservice_namespace] = key.split('/');
    return { microservice_name, ...(microservice_namespace && { microservice_namespace }), code: 'nginx', depends_on };
  });
  return JSON.stringify({ applications: [{ application_name: app, microservices }] });
};

describe('depends_on', () => {
  it('takes names of the application and full names, sorted, each once', () => {
    const text = file({ web: ['db', 'cache', 'db', 'auth.prod.login.default'], 'db/data': [], cache: [] });
    const { services, problems } = parseDescriptor(text, 'a.yaml');
    expect(problems).toEqual([]);
    expect(services[0]?.spec.depends_on).toEqual([
      'auth.prod.login.default',
      'shop.default.cache.default',
      'shop.default.db.data',
    ]);
    expect(services[1]?.spec).not.toHaveProperty('depends_on');
  });

  it('prefers the same namespace', () => {
    const { services } = parseDescriptor(file({ 'db/other': [], 'web/data': ['db'], 'db/data': [] }), 'a.yaml');
    expect(services[1]?.spec.depends_on).toEqual(['shop.default.db.data']);
  });

  it('must not go in a circle, with file and line', () => {
    const { services, problems } = parseDescriptor(file({ a: ['b'], b: ['c'], c: ['a'], d: ['a'] }), 'a.yaml');
    expect(services).toEqual([]);
    expect(problems).toMatchObject([
      {
        code: 'DESCRIPTOR_INVALID',
        file: 'a.yaml',
        line: 1,
        message:
          'depends_on goes in a circle: shop.default.a.default -> shop.default.b.default -> shop.default.c.default -> shop.default.a.default',
      },
    ]);
  });

  it('must not go in a circle over several files', () => {
    const read = (text: string, name: string) => parseDescriptor(text, name).services;
    const services = [
      ...read(file({ web: ['auth.default.login.default'] }), 'a.yaml'),
      ...read(file({ login: ['shop.default.web.default'] }, 'auth'), 'b.yaml'),
    ];
    expect(services).toHaveLength(2);
    expect(checkServices(services)).toMatchObject([{ file: 'b.yaml', subject: 'auth.default.login.default' }]);
  });
});
