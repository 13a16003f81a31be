/**
 * Deployment descriptors: text to services, and back. A file is taken whole or not at all, so that a typing error never looks
 * like a removed service.
 */

import { checkCycles } from './descriptor-depends.ts';
import { checkApplicationFields, checkDocumentFields, checkServiceFields } from './descriptor-fields.ts';
import { referenceFault } from './descriptor-files.ts';
import { looksLikeDescriptor } from './descriptor-marks.ts';
import { checkNames, nameAt, namesIn } from './descriptor-names.ts';
import { originsOf } from './descriptor-origins.ts';
import { overlaid } from './descriptor-overlay.ts';
import type { DescriptorOptions, ParsedService } from './descriptor-parsed.ts';
import { Descriptor, type Microservice } from './descriptor-schema.ts';
import { createSecretShelf, sealedOf } from './descriptor-secrets.ts';
import { toServiceSpec } from './descriptor-service.ts';
import { withValues } from './descriptor-values.ts';
import { createFindings } from './findings.ts';
import type { ServiceName } from './names.ts';
import { type Violation, violations } from './parse.ts';
import { type Problem, type ProblemCode, problem } from './problem.ts';
import { secretReference } from './secret-file.ts';
import { type Path, parseYaml, type YamlDocument } from './yaml.ts';

export { checkNames } from './descriptor-names.ts';
export type { DescriptorOptions, ParsedService } from './descriptor-parsed.ts';
export { toDescriptor } from './descriptor-write.ts';

export interface ParsedDescriptor {
  /** Empty when there is an error. */
  readonly services: readonly ParsedService[];
  /** Errors and warnings. */
  readonly problems: readonly Problem[];
  /** Full names of all services that could be made out, also when there is an error. */
  readonly names: readonly ServiceName[];
  /** What files are taken `from`, as written, each once, without what is no path in a repository. Known also when there is an error beyond the schema. */
  readonly references: readonly string[];
  /** Files in whose place this one stands: it says how they differ in its cluster (overlay.ts). */
  readonly patches: readonly string[];
}

const nothing: ParsedDescriptor = { services: [], problems: [], names: [], references: [], patches: [] };

/**
 * Parses a descriptor file (YAML or JSON, one or several documents; documents that are no descriptors are passed over, but one
 * must be). Never throws. With any error `services` is empty.
 */
export function parseDescriptor(text: string, file: string, options: DescriptorOptions = {}): ParsedDescriptor {
  const { documents, problems } = parseYaml(text, file);
  if (problems.length > 0) return { ...nothing, problems };
  const descriptors = documents.filter(({ value }) => looksLikeDescriptor(value));
  if (descriptors.length === 0) {
    const none = problem('DESCRIPTOR_INVALID', 'no document in here is a descriptor', {
      file,
      line: 1,
      hint: 'a descriptor has `applications`',
    });
    return { ...nothing, problems: [none] };
  }
  const laid = overlaid(descriptors, file, options.files ?? {});
  const parsed = laid.documents.map((document) => parseDocument(document, file, options));
  const services = parsed.flatMap((one) => one.services);
  const found = [...laid.problems, ...parsed.flatMap((one) => one.problems), ...checkServices(services)];
  const failed = found.some((p) => p.severity !== 'warning');
  return {
    services: failed ? [] : services,
    problems: found,
    names: parsed.flatMap((one) => one.names),
    references: [...new Set([...laid.references, ...parsed.flatMap((one) => one.references)])],
    patches: laid.patches,
  };
}

/** The services of some files of a cluster: without those of files in whose place others of them stand. */
export function servicesInForce(
  files: readonly (Pick<ParsedDescriptor, 'services' | 'patches'> & { readonly file: string })[],
): readonly ParsedService[] {
  const replaced = new Set(files.flatMap(({ patches }) => patches));
  return files.flatMap(({ file, services }) => (replaced.has(file) ? [] : services));
}

/** What is wrong with services together, over all files of a set: names that clash, circles of `depends_on`. */
export function checkServices(services: readonly ParsedService[]): readonly Problem[] {
  return [...checkNames(services), ...checkCycles(services)];
}

function parseDocument(
  document: YamlDocument,
  file: string,
  options: DescriptorOptions,
): Omit<ParsedDescriptor, 'patches'> {
  const { value } = document;
  const findings = createFindings(file, document, (path) => nameAt(value, path));
  const names = namesIn(value);
  const plain = withoutNull(value);
  findings.violations(codeFor, violations(Descriptor, plain).map(withSynonym));
  if (findings.failed()) return { services: [], problems: findings.problems, names, references: [] };
  const services: ParsedService[] = [];
  const secrets = createSecretShelf(options.files ?? {});
  const descriptor = plain as Descriptor;
  checkDocumentFields(descriptor, findings);
  descriptor.applications.forEach((application, index) => {
    const at: Path = ['applications', index];
    checkApplicationFields(application, at, findings);
    application.microservices.forEach((written, position) => {
      const path = [...at, 'microservices', position];
      const service = withValues(written, path, findings, options);
      checkServiceFields(service, path, findings);
      const spec = toServiceSpec(application, service, path, findings, { ...options, secrets });
      const app = spec.name.split('.').slice(0, 2).join('.');
      const sealed = sealedOf(spec.run, secrets);
      const place = { file, ...document.locate(path) };
      services.push({
        spec,
        app,
        file: place.file,
        line: place.line,
        ...(sealed.length > 0 && { sealed }),
        ...(options.origins && { origins: originsOf(service, path, document, file) }),
      });
    });
  });
  const references = descriptor.applications.flatMap((application) => application.microservices.flatMap(fromOf));
  return { services: findings.failed() ? [] : services, problems: findings.problems, names, references };
}

function fromOf({ files = [], secrets = [] }: Microservice): readonly string[] {
  const names = secrets.flatMap((one) => (typeof one === 'string' ? one : one.source === 'node' ? [] : one.name));
  // What is refused is not read either: who deploys would send it along.
  const taken = files.flatMap(({ from }) => (from === undefined || referenceFault(from) ? [] : from));
  return [...taken, ...names.map(secretReference)];
}

function codeFor(path: Path): ProblemCode {
  return /_(name|namespace)$/.test(String(path.at(-1))) ? 'NAME_INVALID' : 'DESCRIPTOR_INVALID';
}

/** A blank value means the same as an absent key. */
function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNull(member)]));
}

/** What people write who come from other formats. */
const synonyms: Readonly<Record<string, string>> = {
  image: 'code',
  name: 'microservice_name',
  namespace: 'microservice_namespace',
  command: 'cmd',
  entrypoint: 'cmd',
  env: 'environment',
  cpu: 'vcpus',
  cpus: 'vcpus',
  mem: 'memory',
  ports: 'port',
  services: 'microservices',
  instances: 'replicas',
  scale: 'replicas',
  health: 'healthcheck',
  stop_grace_period: 'stop_grace',
  deploy: 'update',
};

function withSynonym(violation: Violation): Violation {
  const meant = violation.unknownKey ? synonyms[String(violation.path.at(-1))] : undefined;
  return meant ? { ...violation, hint: `did you mean \`${meant}\`?` } : violation;
}
