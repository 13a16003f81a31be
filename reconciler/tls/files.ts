/** Certificate, key and root from files of the owner (a company's authority, an ACME client). */
import type { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { parseCertificates } from '../../schemas/io/certificates.ts';
import type { TlsSettings } from '../../schemas/settings.ts';
import { type Material, tlsProblem } from './material.ts';

export type TlsFiles = Extract<TlsSettings, { kind: 'files' }>;

/** Changes when a file was written or replaced; equal for files that cannot be seen. Cheap: reads no content. */
export async function versionOf({ cert, key, ca }: TlsFiles): Promise<string> {
  const each = [cert, key, ...(ca === undefined ? [] : [ca])].map(async (file) => {
    const found = await stat(file).catch(() => undefined);
    return found ? `${found.dev}.${found.ino}.${found.size}.${found.mtimeMs}` : 'none';
  });
  return (await Promise.all(each)).join(' ');
}

/**
 * Reads the files and checks that they belong together: the key to the certificate, the chain to the root. An expired certificate
 * is read: who renews it is told, and nothing else is better. TLS_INVALID.
 */
export async function readMaterial(files: TlsFiles): Promise<Material> {
  const cert = await readPem(files.cert);
  const key = await readPem(files.key);
  const chain = certificatesIn(files.cert, cert);
  const [leaf] = chain;
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const hint = `renew ${files.cert} and ${files.key} together`;
    throw tlsProblem(files.key, `the key does not belong to the certificate (${reasonOf(cause)})`, hint, cause);
  }
  const server = { cert, key };
  if (files.ca === undefined) return { server, leaf };
  const authority = await readPem(files.ca);
  const [root] = certificatesIn(files.ca, authority);
  if (!isIssuedBy(root, root)) {
    throw tlsProblem(files.ca, 'its first certificate is no root: another one signed it', 'name the file of the root');
  }
  if (!leadsTo(chain, root)) {
    const hint = `${files.cert} must hold the certificate and all that lie between it and the root`;
    throw tlsProblem(files.cert, `the certificate does not lead to the root in ${files.ca}`, hint);
  }
  return { server, leaf, authority: root.toString() };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw tlsProblem(file, `the file cannot be read (${reasonOf(cause)})`, 'look at `tls` in cluster.yaml', cause);
  }
}

function certificatesIn(file: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...rest] = parseCertificates(pem);
    if (first) return [first, ...rest];
  } catch (cause) {
    throw tlsProblem(file, `a certificate in it is damaged (${reasonOf(cause)})`, 'PEM is expected', cause);
  }
  throw tlsProblem(file, 'there is no certificate in it', 'PEM is expected');
}

/** Every certificate is signed by the next one, and the last one by the root, or is it. */
function leadsTo(chain: readonly X509Certificate[], root: X509Certificate): boolean {
  const [last] = chain.slice(-1);
  if (!last) return false;
  const steps = chain.slice(0, -1).every((one, at) => isIssuedBy(one, chain[at + 1]));
  return steps && (last.fingerprint256 === root.fingerprint256 || isIssuedBy(last, root));
}

function isIssuedBy(one: X509Certificate, issuer: X509Certificate | undefined): boolean {
  return issuer !== undefined && one.checkIssued(issuer) && one.verify(issuer.publicKey);
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
