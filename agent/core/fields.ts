import type { RunSpec } from '../../schemas/spec.ts';

/** Members of a run spec; the compiler holds this complete. */
const known: Record<keyof RunSpec, true> = {
  virtualization: true,
  code: true,
  cmd: true,
  environment: true,
  ports: true,
  memory: true,
  vcpus: true,
  limits: true,
  healthcheck: true,
  restart: true,
  one_shot: true,
  stop_grace: true,
};

/** What this agent understands of a run spec: the planner sends it nothing else. Sorted. */
export const runSpecFields: readonly string[] = Object.keys(known).sort();
