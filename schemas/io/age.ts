/**
 * age (age-encryption.org/v1) for whoever has to encrypt or decrypt: the library is loaded with the first call, because most nodes
 * never need it.
 */
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
