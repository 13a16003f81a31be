/** Fields of a descriptor that exist and are not carried out: which are refused, and which are only mentioned. */

import type { Application } from './descriptor-parsed.ts';
import type { Descriptor, Microservice } from './descriptor-schema.ts';
import type { Findings } from './findings.ts';
import type { Path } from './yaml.ts';

/** Without these the service would not be what was asked for: refused while set. */
const refused: Readonly<Partial<Record<keyof Microservice, string>>> = {
  vm_images: 'virtual machines are not served by this version',
  microserviceID: 'existing services are not edited by id: a service is known by its name',
};

/** These are mentioned while set: the service runs all the same. */
const mentioned: Readonly<Partial<Record<keyof Microservice, string>>> = {
  vtpus: 'TPUs are not counted, as in Oakestra',
  storage: 'storage counts only on nodes that state theirs (capacity in nodes.yaml or agent.yaml)',
  bandwidth_in: 'bandwidth_in counts only on nodes that state theirs (capacity in nodes.yaml or agent.yaml)',
  bandwidth_out: 'bandwidth_out counts only on nodes that state theirs (capacity in nodes.yaml or agent.yaml)',
  args: 'args is ignored, as in Oakestra',
  state: 'state is ignored, as in Oakestra',
  added_files: 'added_files is ignored, as in Oakestra',
  platform: 'platform is ignored for containers',
  sla_violation_strategy: 'sla_violation_strategy is ignored, as in Oakestra',
  target_node: 'target_node is ignored, as in Oakestra; use a direct constraint',
  connectivity: 'connectivity is not enforced, as in Oakestra',
};

/** Says what a service asks for in vain. */
export function checkServiceFields(service: Microservice, path: Path, findings: Findings): void {
  for (const [key, message] of Object.entries(refused)) {
    if (isSet(service[key as keyof Microservice]))
      findings.error('FIELD_NOT_SERVED', [...path, key], message, `remove \`${key}\``);
  }
  for (const [key, message] of Object.entries(mentioned)) {
    if (isSet(service[key as keyof Microservice])) {
      findings.warning('FIELD_IGNORED', [...path, key], message);
    }
  }
  for (const [key, value] of Object.entries(service.addresses ?? {})) {
    if (!isSet(value)) continue;
    const own = key.startsWith('rr_ip');
    const message = own ? 'service addresses are not given by this version' : `${key} is ignored, as in Oakestra`;
    findings.warning(own ? 'FIELD_NOT_SERVED' : 'FIELD_IGNORED', [...path, 'addresses', key], message);
  }
}

/** As {@link checkServiceFields}, for an application. */
export function checkApplicationFields(application: Application, path: Path, findings: Findings): void {
  if (isSet(application.applicationID)) {
    const message = 'existing applications are not edited by id: an application is known by its name';
    findings.error('FIELD_NOT_SERVED', [...path, 'applicationID'], message, 'remove `applicationID`');
  }
}

/** As {@link checkServiceFields}, for a document. `Admin` is what every example of Oakestra says: nothing to mention. */
export function checkDocumentFields(document: Descriptor, findings: Findings): void {
  if (isSet(document.args)) findings.warning('FIELD_IGNORED', ['args'], 'args is ignored, as in Oakestra');
  if (isSet(document.customerID) && document.customerID !== 'Admin') {
    findings.warning('FIELD_IGNORED', ['customerID'], 'customerID is ignored: the caller is the owner');
  }
}

/** False for what is absent or empty: null, false, 0, "", [], {}. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
