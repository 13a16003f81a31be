/** What the view of a service says about nodes that are out of reach, as schemas. */
import { Type } from 'typebox';
import type { OnReturn } from './spec.ts';

const ms = (description: string) => Type.Number({ description: `ms ${description}` });

export const DisconnectView = Type.Object(
  {
    stop_after: Type.Optional(ms('without contact until its agent stops it')),
    replace_after: Type.Optional(Type.Union([ms('of silence until it is replaced'), Type.Literal('never')])),
    on_return: Type.Unsafe<OnReturn>({ type: 'string', enum: ['replacement', 'original', 'longest_running'] }),
  },
  { description: 'what becomes of instances whose node is out of reach; absent: as usual' },
);

export const ExclusiveView = Type.Object(
  {
    lease: ms('of the lease'),
    copy: Type.Optional(Type.String({ description: 'that has the lease, or had it last' })),
    node: Type.Optional(Type.String()),
  },
  { description: 'at most one copy runs in the whole cluster' },
);
