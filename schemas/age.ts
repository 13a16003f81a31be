/** Names of age recipients. */

/** A native recipient (X25519), as `age-keygen` prints it. */
export const recipientPattern = /^age1[02-9ac-hj-np-z]{58}$/;
