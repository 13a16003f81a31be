/** What stands for something else in a descriptor's texts: `${cluster.name}` and `${cluster.label.<key>}`, filled in when it is read. */
import type { DescriptorOptions } from './descriptor-parsed.ts';
import type { Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import { hasClusterVariable, withClusterValues } from './variables.ts';
import type { Path } from './yaml.ts';

/** The service with the values of its cluster in `code`, `cmd` and `environment`; as written where no cluster is known. */
export function withValues(
  service: Microservice,
  path: Path,
  findings: Findings,
  options: DescriptorOptions,
): Microservice {
  const { code, cmd = [], environment = [] } = service;
  if (![code, ...cmd, ...environment].some(hasClusterVariable)) return service;
  const fill = (text: string, ...at: Path): string =>
    withClusterValues(text, options, (message, hint) => {
      findings.error('DESCRIPTOR_INVALID', [...path, ...at], message, hint);
    });
  return {
    ...service,
    code: fill(code, 'code'),
    ...(service.cmd && { cmd: cmd.map((text, index) => fill(text, 'cmd', index)) }),
    ...(service.environment && { environment: environment.map((text, index) => fill(text, 'environment', index)) }),
  };
}
