/**
 * `${node.label.<key>}` in the environment of a service: the label of the node that a copy was placed on. The digest is over the
 * text as written; the values travel beside it in the job, and are put in when the copy is created. Other text stays as it is.
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
