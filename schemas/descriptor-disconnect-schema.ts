/** Schemas of what a descriptor says about nodes that are out of reach. */
import { Type } from 'typebox';
import { closed, optional } from './descriptor-words.ts';
import { durationSchema } from './duration.ts';

const orNever = (description: string) =>
  Type.Union([...durationSchema(description).anyOf, Type.Literal('never')], {
    description: `${description} (\`10s\`, \`5m\`, \`2h\`, or \`never\`)`,
    errorMessage: 'must be a time like 10s or 5m, or `never`',
  });

export const OnDisconnect = Type.Object(
  optional({
    stop_after: orNever(
      'Its agent stops an instance once it was without contact to the reconciler for so long, and starts it again on contact; default never. Of an exclusive service: its lease; default 30s',
    ),
    replace_after: orNever(
      'An instance is replaced once its node was silent for so long; default: once the node is lost (lost_after of its class)',
    ),
  }),
  { ...closed, description: 'What becomes of an instance whose node is out of reach.' },
);

export const OnReturn = Type.Enum(['replacement', 'original', 'longest_running'], {
  description:
    'Which copy stays when the node of a replaced instance returns and both are equally good; default replacement.',
});

export const Exclusive = Type.Boolean({
  description:
    'At most one copy runs in the whole cluster: its agent runs it on a lease, and stops it before the lease ends. Default false.',
});
