/**
 * age (age-encryption.org/v1) for whoever has to encrypt or decrypt: the library is loaded with the first call, because most nodes
 * never need it.
 */
import { ProblemError, problem } from '../problem.ts';

/** Who can read something: the secret stays where it was made, the recipient is public. */
export interface AgeIdentity {
  /** `AGE-SECRET-KEY-1...` */
  readonly secret: string;
  /** `age1...` */
  readonly recipient: string;
}

const library = () => import('age-encryption');

/** A new identity, of the kind that every age and sops knows (X25519). */
export async function makeAgeIdentity(): Promise<AgeIdentity> {
  const age = await library();
  const secret = await age.generateX25519Identity();
  return { secret, recipient: await age.identityToRecipient(secret) };
}

/** The recipient of a secret key. SECRET_UNREADABLE for what is none. */
export async function recipientOf(secret: string): Promise<string> {
  const age = await library();
  return age.identityToRecipient(secret).catch((cause: unknown) => {
    throw unreadable('this is no secret key of age', cause);
  });
}

/** These bytes for one recipient, as an armored age file. SECRET_UNREADABLE for what is no recipient. */
export async function encryptFor(recipient: string, bytes: Uint8Array): Promise<string> {
  const age = await library();
  const file = new age.Encrypter();
  try {
    file.addRecipient(recipient);
    return age.armor.encode(await file.encrypt(bytes));
  } catch (cause) {
    throw unreadable(`${recipient} is no recipient of age`, cause);
  }
}

/** What is in an armored age file. SECRET_UNREADABLE when it is for none of these, or damaged. */
export async function decryptWith(secrets: readonly string[], armored: string): Promise<Buffer> {
  const age = await library();
  const file = new age.Decrypter();
  try {
    for (const secret of secrets) file.addIdentity(secret);
    return Buffer.from(await file.decrypt(age.armor.decode(armored)));
  } catch (cause) {
    throw unreadable('its data key is not encrypted for this identity of age', cause);
  }
}

function unreadable(message: string, cause: unknown): ProblemError {
  return new ProblemError(problem('SECRET_UNREADABLE', message), { cause });
}
