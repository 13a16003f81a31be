/** A compose file as a descriptor, and what is lost on the way. Pure. Source of the format: Compose Specification. */
import type { Problem } from '../../schemas/problem.ts';
import { type ComposeFile, type Fields, servicesOf } from './compose-file.ts';
import { lostOfFile } from './losses.ts';
import { nameOf } from './names.ts';
import { type Beside, microserviceOf } from './service.ts';

export interface Imported {
  readonly descriptor: Fields;
  /** Warnings say what is lost; with an error the descriptor is not to be used. */
  readonly problems: readonly Problem[];
}

/** `name`: of the application, where the file says none. The descriptor has still to be validated: it may ask for what no node grants. */
export function importCompose(compose: ComposeFile, name: string, beside: Beside): Imported {
  const { root, findings } = compose;
  for (const key of Object.keys(root)) {
    if (key === 'services' || key === 'name' || key.startsWith('x-')) continue;
    const why = lostOfFile[key] ?? 'it has no counterpart';
    if (why !== '') findings.warning('COMPOSE_LOST', [key], `${key}: ${why}`);
  }
  const microservices = servicesOf(root).map(([key, service]) => microserviceOf(key, service, compose, beside));
  const descriptor = {
    sla_version: 'v2.0',
    applications: [{ application_name: nameOf(String(root['name'] ?? name), ['name'], findings), microservices }],
  };
  const inOrder = [...findings.problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { descriptor, problems: inOrder };
}
