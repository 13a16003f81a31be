/** The other half of the seeds of simulator.test.ts. */
import { describe } from 'vitest';
import { keepsEveryInvariant } from './halves.ts';

describe('the simulated world', () => {
  keepsEveryInvariant('even');
});
