import { defineConfig } from 'vitest/config';

/** One project per level; they run one after another, cheapest first. Levels are explained in CONTRIBUTING.md. */
const levels: readonly (readonly [name: string, timeout: number, extra?: object])[] = [
  // All cores: by itself vitest would leave one free, which is half of a small machine. There is no module state, so
  // that files can share a worker: reading every module anew for each of them would be two fifths of the whole time.
  ['unit', 60_000, { maxWorkers: '100%', isolate: false }],
  ['contract', 60_000, { maxWorkers: '100%', isolate: false }],
  ['simulation', 240_000, { maxWorkers: '100%', isolate: false }],
  // From here on mostly waiting, so two at a time; each has a home and ports of its own.
  ['integration', 180_000, { maxWorkers: 2 }],
  ['e2e', 480_000, { maxWorkers: 2 }],
  // As e2e, and left to `.ci/run` (`npm run test:thorough`): with it `npm test` would last longer than anybody waits.
  ['thorough', 480_000, { maxWorkers: 2 }],
];

export default defineConfig({
  test: {
    projects: levels.map(([name, timeout, extra], order) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        testTimeout: timeout,
        hookTimeout: Math.max(timeout, 120_000),
        disableConsoleIntercept: true,
        sequence: { groupOrder: order },
        ...extra,
      },
    })),
  },
});
