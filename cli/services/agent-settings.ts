/** agent.yaml as an installation writes it: what was asked for is set, and whatever else its owner wrote stays. Pure. */
import { parseDocument } from 'yaml';
import { ProblemError, problem } from '../../schemas/problem.ts';

export interface AgentSettings {
  readonly api: string;
  /** null: none any more. */
  readonly token?: string | null;
  readonly name?: string;
  readonly ip?: string;
  readonly advertise?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
  readonly runtimes: readonly string[];
}

const head = '# Written by `oakctl agent install`; yours to change: another installation keeps what it is not told.\n';

/** `old`: the file as it is. SETTINGS_INVALID when it cannot be read as YAML. */
export function withAgentSettings(old: string | undefined, settings: AgentSettings, file: string): string {
  const document = parseDocument(old ?? head);
  const [error] = document.errors;
  if (error) {
    const hint = 'correct or remove the file';
    throw new ProblemError(problem('SETTINGS_INVALID', error.message.split('\n', 1)[0] ?? '', { file, hint }));
  }
  const set = (path: readonly string[], value: unknown): void => {
    if (value === null) document.deleteIn(path);
    else if (value !== undefined) document.setIn(path, value);
  };
  const { labels, runtimes, ...plain } = settings;
  for (const [key, value] of Object.entries(plain)) set([key], value);
  for (const [key, value] of Object.entries(labels)) set(['labels', key], value);
  if (runtimes.includes('process')) set(['runtimes', 'process', 'allow'], true);
  if (runtimes.includes('docker') && !document.hasIn(['runtimes', 'docker'])) set(['runtimes', 'docker'], {});
  return document.toString({ lineWidth: 0 });
}

/** `key=value`, as flags have it. */
export function labelsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
}
