/** Under which names and addresses a reconciler is reached: what its certificate must say. */

/** Listening there is listening everywhere. */
export function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Where a connection from this machine goes. */
export function reachableHost(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

/**
 * `hosts`: what is listened on; everywhere stands for all addresses of the machine but those that mean nothing beyond one cable.
 * Loopback and host name are always in it.
 * Sorted, each once, so that two lists of the same names are equal.
 */
export function serverNames(
  hosts: readonly string[],
  more: readonly string[],
  machine: { readonly name: string; readonly addresses: readonly string[] },
): readonly string[] {
  const own = hosts.some(isEverywhere) ? machine.addresses.filter((one) => !isLinkLocal(one)) : hosts;
  const names = ['localhost', '127.0.0.1', '::1', ...(isHostName(machine.name) ? [machine.name] : []), ...own, ...more];
  return [...new Set(names.map((name) => name.toLowerCase().split('%', 1)[0] ?? ''))].filter(Boolean).sort();
}

function isLinkLocal(address: string): boolean {
  return /^(fe[89ab].:|169\.254\.)/i.test(address);
}

function isHostName(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name);
}
