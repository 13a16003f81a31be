/** A compose file as a descriptor, and what is lost on the way. Pure. Source of the format: Compose Specification. */
import type { Problem } from '../../schemas/problem.ts';
import { type Fields, isFields, readCompose } from './compose-file.ts';
import { lostOfFile } from './losses.ts';
import { nameOf } from './names.ts';
import { type Beside, microserviceOf } from './service.ts';

export interface ComposeInput {
  readonly text: string;
  readonly file: string;
  /** Name of the application, where the file says none. */
  readonly name: string;
  /** Variables: of the environment, and of `.env` beside the file. */
  readonly variables: Readonly<Record<string, string>>;
  readonly beside: Beside;
}

export interface Imported {
  readonly descriptor: Fields;
  /** Warnings say what is lost; with an error the descriptor is not to be used. */
  readonly problems: readonly Problem[];
}

/** Never throws. The descriptor has still to be validated: it may ask for what no node grants. */
export function importCompose({ name, variables, beside, ...input }: ComposeInput): Imported {
  const compose = readCompose(input.text, input.file, variables);
  const { root, findings } = compose;
  for (const key of Object.keys(root)) {
    if (key === 'services' || key === 'name' || key.startsWith('x-')) continue;
    const why = lostOfFile[key] ?? 'it has no counterpart';
    if (why !== '') findings.warning('COMPOSE_LOST', [key], `${key}: ${why}`);
  }
  const services = isFields(root['services']) ? Object.entries(root['services']) : [];
  const microservices = services.map(([key, service]) =>
    microserviceOf(key, isFields(service) ? service : {}, compose, beside),
  );
  const descriptor = {
    sla_version: 'v2.0',
    applications: [{ application_name: nameOf(String(root['name'] ?? name), ['name'], findings), microservices }],
  };
  const inOrder = [...findings.problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { descriptor, problems: inOrder };
}
