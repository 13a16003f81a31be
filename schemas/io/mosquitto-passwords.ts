/** Lines of a Mosquitto password file: PBKDF2 with SHA-512, as mosquitto_passwd writes them. */
import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
/** As many as mosquitto_passwd takes. The passwords are 256 random bits: it is not the hash that protects them. */
const iterations = 101;
const hashBytes = 64;
/** Mosquitto 2.0 takes no other length. */
export const saltBytes = 12;

/** `name:$7$<iterations>$<salt>$<hash>`. The name must not hold a colon or a line break. */
export async function mosquittoPasswordLine(name: string, password: string, salt: Uint8Array): Promise<string> {
  const hash = await derive(password, salt, iterations, hashBytes, 'sha512');
  return `${name}:$7$${iterations}$${Buffer.from(salt).toString('base64')}$${hash.toString('base64')}`;
}
