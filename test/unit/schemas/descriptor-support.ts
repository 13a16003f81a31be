/** Descriptors with one service, and what becomes of them. */
import { expect } from 'vitest';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { ServiceSpec } from '../../../schemas/spec.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** A descriptor with one service, as text. */
export function text(service: Fields = {}, application: Fields = {}, top: Fields = {}): string {
  const microservices = [{ microservice_name: 'web', code: 'nginx', ...service }];
  return JSON.stringify({ applications: [{ application_name: 'shop', microservices, ...application }], ...top });
}

export function specOf(service: Fields = {}, application: Fields = {}): ServiceSpec {
  const { services, problems } = parseDescriptor(text(service, application), 'a.yaml');
  expect(problems.filter((p) => p.severity !== 'warning')).toEqual([]);
  return services[0]?.spec as ServiceSpec;
}

export function errorsOf(service: Fields = {}, application: Fields = {}, top: Fields = {}): readonly Problem[] {
  const { services, problems } = parseDescriptor(text(service, application, top), 'a.yaml');
  const errors = problems.filter((p) => p.severity !== 'warning');
  expect(errors.length === 0 || services.length === 0).toBe(true);
  return errors;
}

export const warningsOf = (service: Fields, application: Fields = {}, top: Fields = {}) => {
  expect(errorsOf(service, application, top)).toEqual([]);
  return parseDescriptor(text(service, application, top), 'a.yaml').problems;
};
