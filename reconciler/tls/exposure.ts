/** Listening outside loopback without TLS is possible, and never quiet: it is logged every hour, and stands in the status. */
import { isLoopback } from '../../schemas/addresses.ts';
import type { Log } from '../../schemas/io/log.ts';
import type { Clock } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { insecureSetting } from '../../schemas/settings-schema.ts';

const hour = 3_600_000;

export interface Exposure {
  conditions(): readonly Problem[];
  close(): Promise<void>;
}

/** `hosts`: what is listened on without TLS. Nothing is said while all of them are loopback. */
export function watchExposure(hosts: readonly string[], { clock, log }: { clock: Clock; log: Log }): Exposure {
  const open = [...new Set(hosts.filter((host) => !isLoopback(host)))];
  const conditions = open.length === 0 ? [] : [exposed(open)];
  let cancel = (): void => undefined;
  const say = (): void => {
    for (const condition of conditions) log('warn', 'insecure_outside_loopback', { problem: condition });
    cancel = clock.after(hour, say);
  };
  if (conditions.length > 0) say();
  return {
    conditions: () => conditions,
    async close() {
      cancel();
    },
  };
}

function exposed(hosts: readonly string[]): Problem {
  const message = `API and broker listen on ${hosts.join(', ')} without TLS: tokens and passwords can be read on the way`;
  const hint = `write \`tls: auto\` instead of \`${insecureSetting}\` into cluster.yaml`;
  return problem('INSECURE', message, { hint, severity: 'warning' });
}
