/**
 * The agent's assignment on disk, one file per part: persist, then act, then report. What is damaged is unknown, never empty,
 * and the pair on disk never goes back.
 */
import { type Static, Type } from 'typebox';
import { emptyPart, hashPart, isWhole, normalisePart, type Part } from '../schemas/assignment.ts';
import { Documents, Fence, Job } from '../schemas/messages.ts';
import { compareFence } from '../schemas/names.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { Files } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { laterFile } from '../schemas/skew.ts';

const fileVersion = 1;

const LedgerFile = Type.Object({
  v: Type.Literal(fileVersion),
  fence: Fence,
  hash: Type.String(),
  jobs: Type.Array(Job),
  documents: Documents,
});
type LedgerFile = Static<typeof LedgerFile>;

export interface Ledger {
  /** What the node should have. While it is not {@link known}: empty, and to be acted upon by nobody. */
  part(): Part;
  /** Hash of the part; '' while it is not known. */
  hash(): string;
  /** False after a damaged file, until an assignment was saved. */
  known(): boolean;
  /** Reads the file. Returns what is wrong with it, if something is. */
  load(): Promise<Problem | undefined>;
  /** Returns once the part is durable; FILE_UNWRITABLE leaves everything as it was. TypeError on a pair that goes back. */
  save(part: Part): Promise<void>;
}

/** The ledger of part `number` of this node. */
export function createLedger(files: Files, number = 0): Ledger {
  const name = `ledger-${number}`;
  let part = emptyPart;
  let hash = '';
  let known = false;

  const adopt = (next: Part): void => {
    part = next;
    hash = hashPart(next);
    known = true;
  };

  return {
    part: () => part,
    hash: () => hash,
    known: () => known,
    async load() {
      try {
        const text = await files.read(name);
        const read = text === undefined ? emptyPart : readPart(text);
        if (!read) return laterFile(name, text ?? '', fileVersion) ?? damaged(name);
        adopt(read);
        return undefined;
      } catch (error) {
        if (isProblemError(error)) return error.problem;
        throw error;
      }
    },
    async save(next) {
      if (known && compareFence(next.fence, part.fence) <= 0) {
        throw new TypeError(`the ledger is at ${part.fence.epoch}.${part.fence.gen} and does not go back`);
      }
      const normal = normalisePart(next);
      await files.write(name, textOf(normal));
      adopt(normal);
    },
  };
}

function textOf(part: Part): string {
  const file: LedgerFile = {
    v: fileVersion,
    fence: part.fence,
    hash: hashPart(part),
    jobs: [...part.jobs],
    documents: part.documents,
  };
  return JSON.stringify(file);
}

function readPart(text: string): Part | undefined {
  const parsed = parseMessage<LedgerFile>(LedgerFile, text, Number.POSITIVE_INFINITY);
  if (!parsed.ok) return undefined;
  const { fence, jobs, documents, hash } = parsed.value;
  const part = normalisePart({ fence, jobs, documents: documents as Part['documents'] });
  return isWhole(part) && hashPart(part) === hash ? part : undefined;
}

function damaged(name: string): Problem {
  return problem('FILE_DAMAGED', 'the ledger is not what was written', {
    subject: name,
    hint: 'the agent changes nothing until the next assignment arrives',
    disposition: 'wait',
  });
}
