/** A cluster that is set by the environment of its reconciler. */
import { ProblemError } from '../../schemas/problem.ts';
import { type EnvironmentSettings, settingsOfEnvironment } from '../../schemas/settings-environment.ts';
import { clusterFolder } from '../home.ts';

export interface GivenCluster {
  readonly folder: string;
  readonly given: EnvironmentSettings;
}

/** Its settings and its folder. NAME_INVALID, SETTINGS_INVALID, TOKEN_INVALID, each with its variable. */
export function clusterOfEnvironment(home: string, env: NodeJS.ProcessEnv): GivenCluster {
  const { given, problems } = settingsOfEnvironment(env);
  if (!given) throw new ProblemError(problems);
  return { folder: clusterFolder(home, given.values.cluster), given };
}
