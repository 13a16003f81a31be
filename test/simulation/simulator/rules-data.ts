/** Data of instances: it is never left behind, and never used by two; and whoever is well stays until another one is. */
import type { CopyKey } from '../../../agent/runtimes/runtime.ts';
import type { AssignmentMessage, InstancesMessage } from '../../../schemas/messages.ts';
import type { BusMessage } from '../../../schemas/ports.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { type Machine, wasWellElsewhere } from './facts.ts';
import { fullName, serviceOf } from './names.ts';
import type { RuleDeps } from './rules.ts';

export interface DataRules {
  /** An engine started it. */
  started(machine: Machine, key: CopyKey, run: RunSpec): void;
  /** The reconciler gets a message. */
  heard(message: BusMessage): void;
  /** Was that the last word about it? Here networks lose reports also while a connection stands. */
  isToldToRun(key: CopyKey): boolean;
  /** This copy of an instance is taken from a node that is well. */
  taken(machine: Machine, job: AssignmentMessage['jobs'][number]): void;
}

const web = fullName('git', 'web');
/** ms after trouble with an engine in which its agent may not know what runs. */
const blind = 90_000;
/** ms within which another copy must have been well: losing a node takes so long at most. */
const recently = 60_000;

export function createDataRules({ witness, facts, now, anchors }: RuleDeps): DataRules {
  /** Instance -> the machine that has its data. */
  const homes = new Map<string, Machine>();
  /** `<instance>/<copy>` -> what the reconciler was told of it last, whoever of its processes that was. */
  const told = new Map<string, string>();
  const isLooked = (instance: string): boolean => serviceOf(instance) === web || anchors.has(serviceOf(instance));

  const otherOn = ({ runtime }: Machine, { instance, copy }: CopyKey): string | undefined =>
    [...runtime.copies.values()].find(
      (one) => one.instance === instance && one.copy !== copy && one.state === 'running',
    )?.copy;

  return {
    started(machine, key, { volumes = [] }) {
      const [volume] = volumes;
      // A clone of a machine is one that nobody wanted.
      if (!volume || machine.tag !== machine.id) return;
      const what = `${key.instance}/${key.copy}`;
      const other = now() - machine.hurtAt > blind ? otherOn(machine, key) : undefined;
      if (other !== undefined)
        witness.broken('D1 data is used by one', `${what} starts on ${machine.name} while ${other} runs`);
      const home = homes.get(key.instance) ?? machine;
      const isAllowed = facts.given.has(key.instance) || isPortable(key.instance);
      if (home.id !== machine.id && !isAllowed)
        witness.broken('P2 nothing starts with an empty volume', `${what} starts on ${machine.name}, not ${home.name}`);
      homes.set(key.instance, machine);
    },
    heard({ topic, payload }) {
      if (!topic.includes('/instances/') || payload === '') return;
      for (const { instance, copy, status } of (JSON.parse(payload) as InstancesMessage).copies)
        if (isLooked(instance)) told.set(`${instance}/${copy}`, status);
    },
    isToldToRun: ({ instance, copy }) => told.get(`${instance}/${copy}`) === 'running',
    taken(machine, { instance, copy }) {
      if (serviceOf(instance) !== web || told.get(`${instance}/${copy}`) !== 'running') return;
      if (machine.runtime.copies.get(`${instance}/${copy}`)?.health !== 'healthy') return;
      if (!wasWellElsewhere(facts, instance, { machine: machine.tag, copy }, now(), recently))
        witness.broken('H1 somebody well stays', `${instance}/${copy} is taken from ${machine.name}, no other is well`);
    },
  };
}

function isPortable(instance: string): boolean {
  return serviceOf(instance) === fullName('git', 'cache');
}
