/** Documents that are to be deployed together, read and checked as one. */
import type { DocumentText } from '../schemas/api.ts';
import {
  checkServices,
  type DescriptorOptions,
  type ParsedService,
  parseDescriptor,
  servicesInForce,
} from '../schemas/descriptor.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';

export interface ReadDescriptors {
  readonly services: readonly ParsedService[];
  readonly warnings: readonly Problem[];
}

/** Services of descriptors, or everything that is wrong with them. Warnings do not fail. */
export function readDescriptors(documents: readonly DocumentText[], options: DescriptorOptions): ReadDescriptors {
  const parsed = documents.map(({ file, text, files }) =>
    parseDescriptor(text, file, { ...options, ...(files && { files }) }),
  );
  const services = servicesInForce(parsed.map((one, index) => ({ ...one, file: documents[index]?.file ?? '' })));
  const problems = [...parsed.flatMap((one) => one.problems), ...checkServices(services)];
  const errors = problems.filter((p) => p.severity !== 'warning');
  if (errors.length > 0) throw new ProblemError(errors);
  if (services.length === 0) {
    throw new ProblemError(
      problem('DESCRIPTOR_INVALID', 'no document holds a service', { hint: 'oakctl init writes one to start from' }),
    );
  }
  return { services, warnings: problems };
}
