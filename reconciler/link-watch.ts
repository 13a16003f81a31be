import type { Bus, BusMessage, Clock, Mono } from '../schemas/ports.ts';

/** The way to the broker, and how it is: the loop behind it may not run yet, or stand by. */
export interface LinkWatch {
  readonly bus: Bus;
  /** ms for which there has been no connection; undefined while there is one. */
  away(): number | undefined;
}

export function createLinkWatch({ bus, clock }: { readonly bus: Bus; readonly clock: Clock }): LinkWatch {
  let since: Mono | undefined = clock.now().mono;
  return {
    bus: {
      ...bus,
      open(options, handlers) {
        bus.open(options, {
          connected() {
            since = undefined;
            handlers.connected();
          },
          disconnected(reason) {
            since ??= clock.now().mono;
            handlers.disconnected(reason);
          },
          message: (message: BusMessage) => handlers.message(message),
        });
      },
    },
    away: () => (since === undefined ? undefined : clock.now().mono - since),
  };
}
