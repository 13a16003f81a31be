/** What is said of a new node, on the cluster (`nodes add`) and on the machine (`agent install`). */
import { Flags } from '@oclif/core';
import { isAddress } from '../../schemas/addresses.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { advertiseFlag } from '../flags.ts';

/** Where an agent lives that is a service of its machine. */
export const agentFolder = '/var/lib/oakctl-agent';

const labelPattern = /^[^=\s]{1,63}=.*$/s;

/** `key=value`; may be repeated. */
export const labelFlag = (description: string) =>
  Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    description,
    parse: async (text) => {
      if (labelPattern.test(text)) return text;
      throw new ProblemError(problem('USAGE', `\`${text}\` is no label`, { hint: '--label zone=hall-2' }));
    },
  });

export const nodeFlags = {
  label: labelFlag('label of the node, as key=value; may be repeated'),
  location: Flags.string({ description: 'where it stands: free text, or lat,long' }),
  ip: Flags.string({
    description: 'address on which it publishes ports; default the one towards the broker',
    parse: async (text) => {
      if (isAddress(text)) return text;
      throw new ProblemError(problem('USAGE', `\`${text}\` is no IP address`, { hint: '--ip 192.168.1.17' }));
    },
  }),
  advertise: advertiseFlag({ description: 'where others reach them, if not there' }),
  runtime: Flags.option({
    multiple: true,
    options: ['docker', 'process'] as const,
    description: 'what it runs; default docker',
  })(),
};
