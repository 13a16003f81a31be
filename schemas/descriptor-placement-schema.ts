/** Schemas of where instances may run. */
import { Type } from 'typebox';
import { closed, ignored, later, optional, text } from './descriptor-words.ts';

export const Constraint = Type.Object(
  {
    type: Type.Enum(['direct', 'label', 'clusters', 'apart', 'addons', 'latency', 'geo'], {
      description: 'Kind of constraint.',
    }),
    ...optional({
      node: text('direct: node names, separated by `;`.'),
      cluster: text('direct: cluster name.', 63),
      label: text(
        'label: key of a node label. apart: keep away from all nodes with the same value; default the node.',
        63,
      ),
      services: Type.Array(text('A service of this application, or a full name.', 127), {
        minItems: 1,
        maxItems: 64,
        description: 'apart: services whose instances must not be beside it; it may name itself.',
      }),
      in: Type.Array(text('A value.', 255), { minItems: 1, maxItems: 256, description: 'label: one of these values.' }),
      not_in: Type.Array(text('A value.', 255), {
        minItems: 1,
        maxItems: 256,
        description: 'label: none of these values.',
      }),
      exists: Type.Boolean({ description: 'label: the node has it (true), or does not (false).' }),
      allowed: Type.Array(text('A name.', 63), { description: 'clusters: allowed clusters.' }),
      needs: later('addons: names of addons.'),
      area: later('latency: area.'),
      location: later('geo: location.'),
      threshold: later('latency, geo: bound.'),
      rigidness: later('latency, geo: rigidness.'),
      convergence_time: later('latency, geo: seconds.'),
    }),
  },
  { ...closed, description: 'Where instances may run. All constraints hold together.' },
);

export const Spread = Type.Array(
  Type.Object(
    {
      label: text('Key of a node label.', 63),
      ...optional({
        required: Type.Boolean({
          description: 'true: wait rather than run where more instances are; default false.',
        }),
      }),
    },
    { ...closed, description: 'Instances go first to values of this label that have the fewest.' },
  ),
  { maxItems: 8, description: 'Spreads instances over the values of labels, the most important first.' },
);

export const Addresses = Type.Object(
  optional({
    rr_ip: later('Fixed address that balances over all instances.'),
    rr_ip_v6: later('As rr_ip.'),
    closest_ip: ignored('Oakestra does not implement it.'),
    closest_ip_v6: ignored('Oakestra does not implement it.'),
    instances: ignored('Oakestra does not implement it.'),
  }),
  { ...closed, description: 'Addresses of the service.' },
);
