import { defineConfig } from 'vitest/config';

/** One project per level; `npm test` runs them in this order. Levels are explained in CONTRIBUTING.md. */
const project = (name: string, timeout: number, extra: object = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeout,
    hookTimeout: Math.max(timeout, 60_000),
    disableConsoleIntercept: true,
    ...extra,
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000),
      project('contract', 20_000),
      project('simulation', 120_000),
      project('integration', 60_000, { fileParallelism: false }),
      project('e2e', 240_000, { fileParallelism: false }),
    ],
  },
});
