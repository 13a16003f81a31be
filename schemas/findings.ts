/** From what validation says about a value to problems with file, line and column. */
import { formatPath, type Violation } from './parse.ts';
import { type Problem, type ProblemCode, problem } from './problem.ts';
import { maxProblems, type Path, type YamlDocument } from './yaml.ts';

/** Says problems about one document. All positions are those of the field. */
export interface Findings {
  readonly problems: readonly Problem[];
  error(code: ProblemCode, path: Path, message: string, hint?: string): void;
  warning(code: ProblemCode, path: Path, message: string, hint?: string): void;
  /** Violations become `code`, or UNKNOWN_FIELD. In the order of the text, at most {@link maxProblems}. */
  violations(code: ProblemCode | ((path: Path) => ProblemCode), found: readonly Violation[]): void;
  /** True once there is an error. */
  failed(): boolean;
}

/** `subject` names what a path belongs to (a service); without it, or where it answers nothing, the path is the subject. */
export function createFindings(
  file: string,
  document: Pick<YamlDocument, 'locate'>,
  subject?: (path: Path) => string | undefined,
): Findings {
  const problems: Problem[] = [];
  const add = (severity: 'error' | 'warning', code: ProblemCode, path: Path, message: string, hint?: string): void => {
    const about = subject?.(path) ?? formatPath(path);
    problems.push(
      problem(code, message, {
        file,
        ...document.locate(path),
        ...(about ? { subject: about } : {}),
        ...(hint ? { hint } : {}),
        ...(severity === 'warning' ? { severity } : {}),
      }),
    );
  };
  return {
    problems,
    error: (...rest) => add('error', ...rest),
    warning: (...rest) => add('warning', ...rest),
    violations(code, found) {
      const placed = found
        .slice(0, maxProblems)
        .map((violation) => ({ ...violation, at: document.locate(violation.path) }));
      placed.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
      for (const { path, message, hint, unknownKey } of placed) {
        const field = path.at(-1);
        const sentence = unknownKey || typeof field !== 'string' ? message : `\`${field}\`: ${message}`;
        const usual = typeof code === 'function' ? code(path) : code;
        add('error', unknownKey ? 'UNKNOWN_FIELD' : usual, path, sentence, hint);
      }
    },
    failed: () => problems.some((p) => p.severity !== 'warning'),
  };
}
