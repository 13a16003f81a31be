/** Remembers that it was rung until it is stilled. */
export interface Bell {
  ring(): void;
  still(): void;
  /** Resolves when it rings, or after `limit` ms. */
  rung(limit: number): Promise<void>;
}

export function createBell(): Bell {
  let ringing = false;
  let wake = () => {};
  return {
    ring(): void {
      ringing = true;
      wake();
    },
    still(): void {
      ringing = false;
    },
    rung(limit: number): Promise<void> {
      if (ringing) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, limit);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
