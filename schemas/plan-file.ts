/** A plan as a file: what was asked, what would happen, and the token by which `oakctl deploy --plan` carries out just that. */
import { type Static, Type } from 'typebox';
import type { PlanRequest } from './api.ts';
import { PlanBody } from './api-bodies.ts';
import { parseMessage } from './parse.ts';
import { type Problem, problem } from './problem.ts';
import { PlanSchema } from './view-schemas.ts';
import type { PlanView } from './views.ts';

export const planFileFormat = 'oakctl-plan';
export const planFileVersion = 1;

/** The shape of a plan file. */
export const PlanFileSchema = Type.Object(
  {
    format: Type.Literal(planFileFormat),
    version: Type.Literal(planFileVersion),
    cluster: Type.String(),
    fingerprint: Type.String({ description: "SHA-256 of the cluster's public key" }),
    made: Type.Number({ description: 'ms since 1970' }),
    revision: Type.Optional(
      Type.String({ pattern: '^[0-9a-f]{40,64}$', description: 'the commit of the working copy that was planned' }),
    ),
    request: PlanBody,
    plan: Type.Object({ ...PlanSchema.properties, token: Type.String() }),
  },
  { title: 'oakctl plan', description: 'Written by `oakctl plan --out`, carried out by `oakctl deploy --plan`.' },
);

export interface PlanFile
  extends Pick<Static<typeof PlanFileSchema>, 'format' | 'version' | 'cluster' | 'fingerprint' | 'made' | 'revision'> {
  readonly request: PlanRequest;
  readonly plan: PlanView & { readonly token: string };
}

/** Reads a plan file. The problem is PLAN_INVALID. */
export function parsePlanFile(
  text: string,
  file: string,
): { readonly ok: true; readonly value: PlanFile } | { readonly ok: false; readonly problem: Problem } {
  const hint = '`oakctl plan <files> --out <file>` writes one';
  const parsed = parseMessage<PlanFile>(PlanFileSchema, text, Number.MAX_SAFE_INTEGER);
  if (parsed.ok) return parsed;
  const { subject, message } = parsed.problem;
  const why = `it is no plan of version ${planFileVersion}: ${message}`;
  return { ok: false, problem: problem('PLAN_INVALID', why, { file, hint, ...(subject ? { subject } : {}) }) };
}
