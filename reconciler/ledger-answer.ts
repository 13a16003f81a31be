/** What an agent answers whoever reads its ledger over a stream. */
import { Type } from 'typebox';
import { isWhole, type Part } from '../schemas/assignment.ts';
import { isLaterRunSpec } from '../schemas/features.ts';
import { Fence, Job } from '../schemas/messages.ts';
import { parseInstanceName } from '../schemas/names.ts';
import { parseMessage } from '../schemas/parse.ts';
import { parseRunSpec } from '../schemas/run-spec.ts';

const AnswerSchema = Type.Object({
  parts: Type.Array(
    Type.Object({ fence: Fence, jobs: Type.Array(Job), documents: Type.Record(Type.String(), Type.Unknown()) }),
    { minItems: 1, maxItems: 1 },
  ),
  endpoints: Type.Optional(Type.Unknown()),
});

export interface LedgerAnswer {
  readonly part: Part;
  /** The last list of endpoints that the node was given: unchecked. */
  readonly endpoints?: unknown;
}

/** The one part of a ledger answer, if it is whole and speaks of instances. */
export function parseLedger(text: string): LedgerAnswer | undefined {
  const parsed = parseMessage<{ parts: Part[]; endpoints?: unknown }>(AnswerSchema, text);
  if (!parsed.ok) return undefined;
  const { parts, endpoints } = parsed.value;
  const [part] = parts;
  if (!part) return undefined;
  const named = part.jobs.every((job) => parseInstanceName(job.instance) !== undefined);
  const known = Object.values(part.documents).every(
    (document) => !('disposition' in parseRunSpec(document)) || isLaterRunSpec(document),
  );
  return named && known && isWhole(part) ? { part, endpoints } : undefined;
}
