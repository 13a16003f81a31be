/**
 * nodes.yaml: a list of one-key maps, `node:` or `custom-orchestrator:`, as the FRACTAL resource manager reads it, with our
 * own keys beside. The file describes nodes; it admits nobody.
 */
import { isAddress } from './addresses.ts';
import { createFindings, type Findings } from './findings.ts';
import { defaultPorts, NodesFile } from './nodes-schema.ts';
import { violations } from './parse.ts';
import { type Problem, problem } from './problem.ts';
import { type Path, parseYaml } from './yaml.ts';

/** One entry, validated. Its shape is the reconciler's `Listing`. */
export interface NodeListing {
  readonly name: string;
  readonly ip?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pool?: string;
  /** Cores, MB and kbit/s. */
  readonly capacity?: {
    readonly cpu?: number;
    readonly memory?: number;
    readonly storage?: number;
    readonly bandwidth_in?: number;
    readonly bandwidth_out?: number;
  };
  readonly location?: string;
  readonly cordon?: boolean;
}

/** Where the resource manager of seed 002 would push to. */
export interface CustomOrchestrator {
  readonly hostname?: string;
  readonly ip?: string;
  readonly port: number;
}

export interface ParsedNodes {
  /** In the order of the file; empty when there is an error. */
  readonly listings: readonly NodeListing[];
  readonly customOrchestrator?: CustomOrchestrator;
  readonly problems: readonly Problem[];
}

/** Parses nodes.yaml. An empty file is a valid empty list: whether that may remove anything is for the guard to say. */
export function parseNodesFile(text: string, file: string): ParsedNodes {
  const { documents, problems } = parseYaml(text, file);
  if (problems.length > 0) return { listings: [], problems };
  const [document, second] = documents;
  if (!document) return { listings: [], problems: [] };
  if (second) {
    const message = 'nodes.yaml is one document, and here are more';
    return { listings: [], problems: [problem('NODES_INVALID', message, { file, ...second.locate([]) })] };
  }
  const findings = createFindings(file, document, (path) => hostnameAt(document.value, path));
  findings.violations('NODES_INVALID', violations(NodesFile, document.value));
  if (findings.failed()) return { listings: [], problems: findings.problems };
  return readItems(document.value as NodesFile, findings);
}

/** Host name of the entry that a path leads into, if it can be made out. */
function hostnameAt(items: unknown, [index]: Path): string | undefined {
  if (!Array.isArray(items) || typeof index !== 'number') return undefined;
  const hostname: unknown = items[index]?.node?.hostname;
  return typeof hostname === 'string' ? `node/${hostname}` : undefined;
}

type NodeItem = NonNullable<NodesFile[number]['node']>;

function readItems(items: NodesFile, findings: Findings): ParsedNodes {
  const listings: NodeListing[] = [];
  let customOrchestrator: CustomOrchestrator | undefined;
  const taken = { names: new Map<string, string>(), addresses: new Map<string, string>() };
  items.forEach((item, index) => {
    const custom = item['custom-orchestrator'];
    if (item.node) {
      const listing = readNode(item.node, [index, 'node'], findings);
      checkTaken(listing, [index, 'node'], taken, findings);
      listings.push(listing);
    } else if (custom) {
      if (customOrchestrator) findings.error('NODES_INVALID', [index], 'only one custom-orchestrator is allowed');
      customOrchestrator = readCustom(custom, [index, 'custom-orchestrator'], findings);
    }
  });
  if (findings.failed()) return { listings: [], problems: findings.problems };
  return { listings, ...(customOrchestrator ? { customOrchestrator } : {}), problems: findings.problems };
}

function readNode(node: NodeItem, path: Path, findings: Findings): NodeListing {
  const ip = node.IP ?? undefined;
  if (ip !== undefined) checkAddress(ip, [...path, 'IP'], findings);
  warnLater(node, path, findings);
  const { capacity, location, pool } = node;
  const labels = Object.entries(node.labels ?? {}).map(([key, value]) => [key, String(value)]);
  return {
    name: node.hostname,
    ...(ip === undefined ? {} : { ip }),
    labels: Object.fromEntries(labels),
    ...(pool ? { pool } : {}),
    ...(capacity ? { capacity: { ...capacity } } : {}),
    ...(location ? { location } : {}),
    ...(typeof node.cordon === 'boolean' ? { cordon: node.cordon } : {}),
  };
}

/** What the file may say and this version does nothing with. */
function warnLater(node: NodeItem, path: Path, findings: Findings): void {
  if (node.orchestrator && node.orchestrator !== 'docker') {
    const message = `orchestrator ${node.orchestrator} is not served by this version: the node's own agent decides`;
    findings.warning('FIELD_NOT_SERVED', [...path, 'orchestrator'], message);
  }
  if (node.thresholds && Object.keys(node.thresholds).length > 0) {
    findings.warning('FIELD_NOT_SERVED', [...path, 'thresholds'], 'thresholds are not watched by this version');
  }
}

function readCustom(
  custom: NonNullable<NodesFile[number]['custom-orchestrator']>,
  path: Path,
  findings: Findings,
): CustomOrchestrator {
  if (custom.IP) checkAddress(custom.IP, [...path, 'IP'], findings);
  findings.warning(
    'FIELD_NOT_SERVED',
    path,
    'the reconciler itself does what a custom-orchestrator did; the entry is kept',
  );
  return {
    ...(custom.hostname ? { hostname: custom.hostname } : {}),
    ...(custom.IP ? { ip: custom.IP } : {}),
    port: custom.port ?? defaultPorts.customOrchestrator,
  };
}

function checkAddress(ip: string, path: Path, findings: Findings): void {
  if (!isAddress(ip)) findings.error('NODES_INVALID', path, `\`${ip}\` is not an IP address`);
}

function checkTaken(
  listing: NodeListing,
  path: Path,
  taken: { names: Map<string, string>; addresses: Map<string, string> },
  findings: Findings,
): void {
  const other = taken.names.get(listing.name.toLowerCase());
  if (other === listing.name) {
    findings.error('NAME_TAKEN', [...path, 'hostname'], `two nodes are called ${listing.name}`);
  } else if (other) {
    findings.error('NAME_TAKEN', [...path, 'hostname'], `${listing.name} and ${other} differ by case only`);
  }
  taken.names.set(listing.name.toLowerCase(), listing.name);
  if (!listing.ip) return;
  const neighbour = taken.addresses.get(listing.ip);
  if (neighbour) {
    const message = `${listing.name} and ${neighbour} have one address (${listing.ip}): it names neither of them`;
    findings.warning('NAME_TAKEN', [...path, 'IP'], message);
  }
  taken.addresses.set(listing.ip, listing.name);
}
