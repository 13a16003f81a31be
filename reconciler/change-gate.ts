import type { Accounts } from './accounts/accounts.ts';
import type { ControlPlane } from './control-plane.ts';
import type { OfficeSeat } from './office.ts';

/** The control plane of a reconciler that may be one of several: whatever changes the cluster is UNAVAILABLE while it stands by. */
export function gateChanges({ requireTaken }: OfficeSeat, control: ControlPlane): ControlPlane {
  const gated = gate(requireTaken);
  return {
    ...control,
    deploy: gated(control.deploy),
    remove: gated(control.remove),
    move: gated(control.move),
    replicate: gated(control.replicate),
    addInstance: gated(control.addInstance),
    dropInstance: gated(control.dropInstance),
    approve: gated(control.approve),
    sync: gated(control.sync),
    rollback: gated(control.rollback),
    unpin: gated(control.unpin),
    suspend: gated(control.suspend),
    resume: gated(control.resume),
    createToken: gated(control.createToken),
    revokeToken: gated(control.revokeToken),
    join: gated(control.join),
    register: gated(control.register),
    revoke: gated(control.revoke),
    removeNode: gated(control.removeNode),
    rotateKeys: gated(control.rotateKeys),
    renewCredential: gated(control.renewCredential),
    removeOverride: gated(control.removeOverride),
    scale: gated(control.scale),
    stop: gated(control.stop),
    start: gated(control.start),
    undelete: gated(control.undelete),
    restart: gated(control.restart),
    cordon: gated(control.cordon),
    drain: gated(control.drain),
    uncordon: gated(control.uncordon),
    exec: gated(control.exec),
    loadImages: gated(control.loadImages),
    login: gated(control.login),
    logout: gated(control.logout),
    // The records of whoever stands by are old: they know neither who joined since nor who was revoked.
    standing(...args) {
      requireTaken();
      return control.standing(...args);
    },
    logs(...args) {
      requireTaken();
      return control.logs(...args);
    },
  };
}

/** As {@link gateChanges}: what is asked for is answered, who logs in is let in, and nothing is written. */
export function gateAccounts({ requireTaken }: OfficeSeat, accounts: Accounts): Accounts {
  const gated = gate(requireTaken);
  const { tokens } = accounts;
  return {
    ...accounts,
    add: gated(accounts.add),
    remove: gated(accounts.remove),
    setRole: gated(accounts.setRole),
    setPassword: gated(accounts.setPassword),
    refresh: gated(accounts.refresh),
    logout: gated(accounts.logout),
    tokens: { ...tokens, create: gated(tokens.create), revoke: gated(tokens.revoke) },
  };
}

function gate(requireTaken: () => void) {
  return <A extends unknown[], R>(change: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      requireTaken();
      return change(...args);
    };
}
