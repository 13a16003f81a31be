/** Secrets as they lie in a repository, encrypted for real. */
import { secretsOf } from '../../reconciler/core/sealed.ts';
import { encryptFor } from '../../schemas/io/age.ts';
import { encryptLeaves, makeDataKey } from '../../schemas/io/sops.ts';
import type { Sealed } from '../../schemas/messages.ts';
import { parseSecret, sealKey, sealOf, versionKey } from '../../schemas/secret-file.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import { writeSops } from '../../schemas/sops-write.ts';
import type { RunSpec } from '../../schemas/spec.ts';

/** A secret as it comes to the node of one of its recipients. */
export function sealedFor(text: string, name: string, recipient: string): Sealed {
  const { secret } = parseSecret(text, `${name}.yaml`, name);
  if (!secret) throw new Error(`${name} is no secret`);
  const run = { secrets: [{ name, version: secret.version, path: `/run/secrets/${name}`, mode: 0o444 }] };
  const [sealed] = secretsOf(run as unknown as RunSpec, [secret], recipient).secrets ?? [];
  if (!sealed) throw new Error(`${recipient} cannot read ${name}`);
  return sealed;
}

/** The text of `secrets/<name>.yaml`. `value`: one value, or several by their keys. */
export async function sealedFile(
  name: string,
  value: string | Readonly<Record<string, string>>,
  recipients: readonly string[],
  version = 1,
): Promise<string> {
  const values =
    typeof value === 'string' ? [['', value]] : Object.entries(value).map(([key, text]) => [`${key}:`, text]);
  const dataKey = makeDataKey();
  const modified = '2026-11-21T20:00:00Z';
  const leaves = values.map(([key, text]): SopsLeaf => [`${name}:${key}`, text ?? '']);
  const all = encryptLeaves(leaves, dataKey, modified, (encrypted) => [
    [`${versionKey}:`, String(version)],
    [`${sealKey}:`, sealOf(encrypted)],
  ]);
  const keys: Record<string, string> = {};
  for (const recipient of recipients) keys[recipient] = await encryptFor(recipient, dataKey);
  return writeSops({ ...all, keys });
}
