/**
 * Expected failures as data. Core code returns them, adapters throw them wrapped in {@link ProblemError}; anything else
 * that is thrown is a bug and ends the process.
 */

/** What the loop should do about it: try again with back-off, wait for something to change, or stop until a human acts. */
export type Disposition = 'retry' | 'wait' | 'stall';

/** Where in what the user wrote. Line and column count from 1. */
export interface Position {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

export interface Problem extends Position {
  /** Stable and documented, e.g. `DESCRIPTOR_INVALID`. See {@link problemCodes}. */
  readonly code: ProblemCode;
  /** What it is about: a service, node, file or field path. */
  readonly subject?: string;
  /** One sentence, what is wrong, with the numbers. No secrets. */
  readonly message: string;
  /** What to do about it: a command, or the right spelling. */
  readonly hint?: string;
  /** A warning changes nothing and blocks nothing. Absent means error. */
  readonly severity?: 'error' | 'warning';
  readonly disposition: Disposition;
}

/** Every problem code there is, and what it means. Documentation and tests read this table. */
export const problemCodes = {
  // what users write
  YAML_INVALID:
    'the text is not YAML or JSON that oakctl reads (syntax, duplicate key, alias, tag, too deep, too long)',
  DESCRIPTOR_INVALID: 'a deployment descriptor breaks the schema',
  NODES_INVALID: 'nodes.yaml breaks the schema',
  SETTINGS_INVALID: 'oakctl.yaml, cluster.yaml or agent.yaml breaks the schema',
  POLICY_INVALID: "a node's policy.yaml breaks the schema, or others may write it: nothing is granted",
  REGISTRIES_INVALID: 'registries.yaml breaks the schema, or others may read it: nothing of it counts',
  SECRET_INVALID: 'a file of a secret is missing, is not one that SOPS or oakctl wrote, or is of another name',
  SNAPSHOT_INVALID: 'a file is no snapshot of a cluster, is not whole, or is of another version or cluster',
  PLAN_INVALID: 'a file is no plan that `oakctl plan --out` wrote, is not whole, or is of another version',
  COMPOSE_INVALID: 'a compose file is broken, or asks for what no descriptor can say',
  COMPOSE_LOST: 'something of a compose file has no counterpart in a descriptor, or another meaning',
  UNKNOWN_FIELD: 'a key that no schema knows',
  FIELD_NOT_SERVED: 'a field that exists but that this version does not carry out',
  FIELD_IGNORED: 'a field that Oakestra accepts and ignores; oakctl says so',
  GRANT_NEEDED: 'a service asks for access to the host: a node takes it only if its policy.yaml grants that',
  NAME_INVALID: 'a name breaks the rule for names',
  NAME_TAKEN: 'a name is already used, or differs only by case',
  // sources
  SOURCE_UNREACHABLE: 'the git remote cannot be reached or refuses',
  SOURCE_DENIED:
    'the git remote refuses the credential, is not the host that is known, or a credential file cannot be used',
  SOURCE_LIMITED: 'the git remote was asked too often, and wants to be left alone for a while',
  PUSH_REFUSED: 'the git remote does not want what `write_back` pushes: a rule of the ref, or a hook',
  SOURCE_REF_MISSING: 'the branch, tag, commit or path is not in the repository',
  SOURCE_DAMAGED: 'the local mirror is damaged',
  SOURCE_HOSTILE: 'the tree holds links, submodules, or paths that are not allowed',
  OWNED_BY_GIT: 'what git owns can only be changed in git',
  OWNED_DIRECTLY: 'what was deployed directly is claimed by git',
  // state
  KEY_NOT_TAKEN: 'nodes that are in reach have not taken over a new key of the cluster: its rotation waits for them',
  RECORDS_MISSING: 'agents have credentials of this cluster, and records/ knows nothing of them',
  FILE_DAMAGED: 'a state file is damaged and no previous version is whole',
  FILE_UNWRITABLE: 'a state file cannot be written',
  BACKUP_INVALID: 'the file is no backup, is torn, damaged or from a newer oakctl, or its passphrase is another one',
  FOLDER_LOCKED: 'another process holds the folder',
  PORT_TAKEN: 'a port is in use',
  RIVAL_RECONCILER: 'another reconciler speaks for this cluster',
  PAIR_UNPROVEN: 'a node repeats what another reconciler is to have said, and shows nothing that this cluster signed',
  STANDBY: 'another reconciler runs this cluster, or may run it: this one waits until it falls silent',
  VERSION_SKEW:
    'two programs, or a program and a file, are of versions that do not fit together, or that should be brought together',
  AGENT_TOO_OLD: 'an agent does not know something that a service, or a command, asks for',
  // access
  UNAUTHORIZED: 'no credential, or a wrong one',
  FORBIDDEN: 'the account, or the token of it, does not have the right to do that',
  TOO_MANY: 'too many attempts: only after some time the next one is looked at',
  TOKEN_INVALID: 'a join token is malformed, unknown, used up, revoked or for another cluster',
  SIGNATURE_INVALID: 'a message is not signed by this cluster',
  REVOKED: 'the identity was revoked',
  DUPLICATE_NODE: 'two agents with the identity of one node are alive: only the elder is let in',
  TLS_REQUIRED: 'something would listen, or a credential would travel, outside loopback without TLS',
  TLS_INVALID:
    'a certificate, a key or an authority cannot be used, or the other side shows a certificate that is not trusted',
  INSECURE: 'the cluster listens outside loopback without TLS, because its settings say so',
  NOTIFICATION_FAILED: 'a receiver of notifications could not be told',
  BROKER_NOT_TOLD: 'the password file of an external broker cannot be written, or the broker cannot be told of it',
  // runtime
  RUNTIME_UNAVAILABLE: 'the engine does not answer',
  IMAGE_NOT_FOUND: 'the registry has no such image, tag or content',
  IMAGE_DENIED: 'the registry asks for a login, or refuses the one it got',
  IMAGE_STALLED: 'nothing came from the registry for a minute in the middle of a pull',
  IMAGE_NO_SPACE: 'there is no room for the image on the disk of the node',
  IMAGE_WRONG_ARCHITECTURE: 'the image is made for other machines than this node',
  IMAGE_PULL_FAILED: 'the image could not be pulled this time',
  IMAGE_LOAD_FAILED: 'the engine of a node did not take the images of an archive',
  ARCHIVE_INVALID: 'a file is no archive of images as `docker save` writes it, or is torn or damaged',
  REGISTRY_UNREACHABLE: 'the registry cannot be reached',
  REGISTRY_INSECURE: 'the registry would be spoken to in the open, and registries.yaml does not allow that',
  NAME_CONFLICT: 'something that is not ours holds the name of one of our copies',
  START_FAILED: 'the runtime could not start the copy',
  PROCESS_NOT_ALLOWED: "the node's own configuration does not allow processes",
  IMAGE_NOT_ALLOWED: 'the policy.yaml of the node does not allow the image, or its registry',
  HOST_NOT_GRANTED: 'the policy.yaml of the node does not grant the access to the host that the service asks for',
  SECRET_UNREADABLE: 'a secret cannot be decrypted, or is not what was encrypted',
  SECRET_NO_MEMORY: 'the node has no folder in memory for secrets, and they are never written to its disk',
  // commands
  USAGE: 'the command line is not understood',
  NOT_FOUND: 'the named thing does not exist',
  REFUSED: 'a guard or policy refuses the change',
  TIMED_OUT: 'the wait ended before the outcome',
  UNREACHABLE: 'the reconciler cannot be reached',
  BAD_REQUEST: 'the request is malformed',
  UNAVAILABLE: 'not ready yet',
} as const;

export type ProblemCode = keyof typeof problemCodes;

/** Carries one or more problems through code that throws. */
export class ProblemError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: { cause?: unknown }) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map(formatProblem).join('\n'), options);
    this.name = 'ProblemError';
    this.problems = list;
  }

  /** The first problem: what one-line reports show. */
  get problem(): Problem {
    return this.problems[0] as Problem;
  }
}

/** Builds a problem; disposition defaults to `stall` (a human must act). */
export function problem(
  code: ProblemCode,
  message: string,
  details: Partial<Omit<Problem, 'code' | 'message'>> = {},
): Problem {
  return { code, message, disposition: 'stall', ...details };
}

/** True for errors that are expected and carry problems. */
export function isProblemError(error: unknown): error is ProblemError {
  return error instanceof ProblemError;
}

/** `file:line:column: CODE subject: message (hint)`, leaving out what is absent. */
export function formatProblem(p: Problem): string {
  const where = [p.file, p.line, p.column].filter((part) => part !== undefined).join(':');
  const head = [where && `${where}:`, p.code, p.subject && `${p.subject}:`].filter(Boolean).join(' ');
  return `${head} ${p.message}${p.hint ? ` (${p.hint})` : ''}`;
}
