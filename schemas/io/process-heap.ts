/** Memory of the programs that run for months: small machines have other uses for it. */
import { setFlagsFromString } from 'node:v8';

/** Percent that the heap may grow over what lives before it is swept again. V8 would let it double. */
const growth = 15;

/**
 * The heap of this process stays near what lives in it, for a little more work of the collector: at 10,000 nodes
 * a third less memory of broker and reconciler (`npm run bench:fleet`). Call it before the work begins.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${growth}`);
}
