/** Which cluster on this machine a local verb means. */
import { localClusters, readContexts } from '../contexts.ts';
import type { Env } from '../home.ts';

/** Name of the cluster of the first `oakctl up`. */
export const defaultName = 'myCluster';

/** --name, --context, OAKCTL_CONTEXT, the current context if it is a cluster here, the only one here, else `myCluster`. */
export async function chooseCluster(
  flags: { readonly name?: string | undefined; readonly context?: string | undefined },
  env: Env,
  home: string,
): Promise<string> {
  const said = flags.name ?? flags.context ?? env['OAKCTL_CONTEXT'];
  if (said) return said;
  const clusters = await localClusters(home);
  const { current } = await readContexts(home);
  if (current && clusters.includes(current)) return current;
  return clusters.length === 1 && clusters[0] ? clusters[0] : defaultName;
}
