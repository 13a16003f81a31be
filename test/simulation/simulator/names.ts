/** `<full service name>` of `<full service name>.instance.<n>`. */
export function serviceOf(instance: string): string {
  return instance.slice(0, instance.lastIndexOf('.instance.'));
}

/** Full name of a service of the simulated world. */
export function fullName(app: string, name: string): string {
  return `${app}.default.${name}.default`;
}

/** Somebody else's container on each machine: not in any ledger, and not to be touched. */
export const foreign = 'strange.default.thing.default.instance.0';
