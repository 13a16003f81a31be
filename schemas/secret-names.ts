/** How secrets are called, and what lies in them. */

export const secretNamePattern = /^[a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?$/;

/** Secrets that a node has as files of its own, at most. */
export const mostNodeSecrets = 128;

/** A key of a secret that holds several values. */
export const secretKeyPattern = /^[A-Za-z_][-A-Za-z0-9_.]{0,62}$/;
