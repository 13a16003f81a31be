/** How often a law is tried: on a CI machine all of it; elsewhere less, so that `npm test` takes as long as somebody waits. */
export function runsOf({ ci, otherwise }: { readonly ci: number; readonly otherwise: number }): number {
  return process.env['CI'] === 'true' ? ci : otherwise;
}
