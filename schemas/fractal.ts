/** The API of FRACTAL's custom orchestrator (seed 002): what its resource manager sends. */
import { type Static, Type } from 'typebox';

const host = Type.String({ maxLength: 255 });
const byHost = Type.Record(Type.String({ maxLength: 255 }), host);

/** POST /api/v1/load_nodes: what nodes.yaml of the resource manager says. */
export const LoadNodesBody = Type.Object({
  ips: byHost,
  orchestrator: Type.Optional(byHost),
  resources: Type.Optional(Type.Record(Type.String({ maxLength: 255 }), Type.Array(host, { maxItems: 1000 }))),
});
export type LoadNodesBody = Static<typeof LoadNodesBody>;

/** POST /api/v1/update_taints: all hosts that are tainted now, by name; whoever is not in it is not. */
export const TaintsBody = Type.Record(Type.String({ maxLength: 255 }), Type.String({ enum: ['NoSchedule'] }));
export type TaintsBody = Static<typeof TaintsBody>;
