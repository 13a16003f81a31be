/** Who asks, for records and events: `user@host`. */
import { hostname, userInfo } from 'node:os';

export function actorName(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry, as in many containers.
    return String(process.getuid?.() ?? 'unknown');
  }
}
