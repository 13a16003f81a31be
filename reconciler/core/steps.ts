/** Long work in short steps: whoever carries it out may let others have their turn between two of them. */

/** Each `next` is one step; the last one has the result. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All steps in one go. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
