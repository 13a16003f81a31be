/**
 * Variables in descriptors. `${node.label.<key>}` in the environment of a service: the label of the node that a copy was placed on. The digest is over the
 * text as written; the values travel beside it in the job, and are put in when the copy is created. What is said of the cluster is put in before, when the descriptor is read: it is in the digest.
 * Other text stays as it is.
 */
import { labelKeyPattern } from './names.ts';
import type { RunSpec } from './spec.ts';

const variable = /\$\{(node\.[^}]*)\}/g;
const prefix = 'node.label.';

/** Names of the variables of a run spec, e.g. `node.label.shop`; sorted, each once. */
export function variablesOf(run: Pick<RunSpec, 'environment'>): readonly string[] {
  const names = (run.environment ?? []).flatMap((item) =>
    [...afterEquals(item).matchAll(variable)].map(([, name]) => name),
  );
  return [...new Set(names as string[])].sort();
}

/** The label that a variable stands for; undefined for one that does not exist. */
export function labelOfVariable(name: string): string | undefined {
  const key = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return labelKeyPattern.test(key) ? key : undefined;
}

/** The run spec with values in place of its variables; the same one when there is nothing to put in. */
export function withVariables(run: RunSpec, values: Readonly<Record<string, string>> | undefined): RunSpec {
  if (!values || !run.environment) return run;
  const environment = run.environment.map((item) => {
    const value = afterEquals(item);
    const filled = value.replace(variable, (written, name: string) =>
      Object.hasOwn(values, name) ? (values[name] as string) : written,
    );
    return `${item.slice(0, item.length - value.length)}${filled}`;
  });
  return { ...run, environment };
}

/** What is behind the first `=`. */
function afterEquals(item: string): string {
  return item.slice(item.indexOf('=') + 1);
}

const clusterVariable = /\$\{cluster\.([^}]*)\}/g;
const clusterLabel = 'label.';

/** True for a text that says something of its cluster. */
export function hasClusterVariable(text: string): boolean {
  return text.includes('${cluster.');
}

/**
 * The text with `${cluster.name}` and `${cluster.label.<key>}` as they are in a cluster; as written where none is named. What does not
 * exist is told to `fault`: a text with a hole in it is never run.
 */
export function withClusterValues(
  text: string,
  { cluster, labels = {} }: { readonly cluster?: string; readonly labels?: Readonly<Record<string, string>> },
  fault: (message: string, hint: string) => void,
): string {
  const isNamed = cluster !== undefined && cluster !== '';
  return text.replace(clusterVariable, (written, name: string) => {
    if (name === 'name') return isNamed ? cluster : written;
    const key = name.startsWith(clusterLabel) ? name.slice(clusterLabel.length) : '';
    if (!labelKeyPattern.test(key)) {
      fault(`there is no variable \`cluster.${name}\``, `\${cluster.name}, \${cluster.label.<key>}`);
      return written;
    }
    if (!isNamed) return written;
    if (Object.hasOwn(labels, key)) return labels[key] as string;
    fault(`the cluster ${cluster} has no label \`${key}\``, `\`labels: {${key}: ...}\` in its cluster.yaml`);
    return written;
  });
}
