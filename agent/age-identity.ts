/**
 * The age identity of a node: made at its first start, never leaves it, and never replaced. Its recipient is told to the cluster, so
 * that secrets can be encrypted for it.
 */
import { type Static, Type } from 'typebox';
import { recipientPattern } from '../schemas/age.ts';
import { type AgeIdentity, makeAgeIdentity } from '../schemas/io/age.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { Files } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { laterFile } from '../schemas/skew.ts';

const fileName = 'age';
const fileVersion = 1;

const AgeFile = Type.Object({
  v: Type.Literal(fileVersion),
  secret: Type.String({ pattern: '^AGE-SECRET-KEY-1[0-9A-Z]{58}$' }),
  recipient: Type.String({ pattern: recipientPattern.source }),
});
type AgeFile = Static<typeof AgeFile>;

/** FILE_DAMAGED: what is there is left as it is, because another one could not read what this one can. FILE_UNWRITABLE. */
export async function loadOrMakeAge(files: Files): Promise<AgeIdentity> {
  const text = await files.read(fileName);
  if (text === undefined) {
    const made = await makeAgeIdentity();
    await files.write(fileName, JSON.stringify({ v: fileVersion, ...made }));
    return made;
  }
  const parsed = parseMessage<AgeFile>(AgeFile, text);
  if (parsed.ok) return { secret: parsed.value.secret, recipient: parsed.value.recipient };
  const hint =
    'restore the state folder; or remove this file, and then `oakctl secret rekey --commit` encrypts for the next one';
  const damaged = problem('FILE_DAMAGED', 'the age identity of this node is not readable', { subject: fileName, hint });
  throw new ProblemError(laterFile(fileName, text, fileVersion) ?? damaged);
}
