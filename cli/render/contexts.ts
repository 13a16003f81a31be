/** Contexts as a table. */
import type { ContextRow } from '../services/contexts.ts';
import type { Listing } from './output.ts';

export const contextListing: Listing<ContextRow> = {
  nameOf: (row) => row.name,
  empty: 'No contexts. `oakctl up` starts a cluster here, `oakctl contexts add` names one elsewhere.',
  columns: (paint) => [
    { title: 'CURRENT', value: (row) => (row.current ? '*' : ' '), paint: paint.good },
    { title: 'NAME', value: (row) => row.name },
    { title: 'KIND', value: (row) => row.kind },
    { title: 'API', value: (row) => row.api ?? 'not up' },
    { title: 'USER', value: (row) => row.user },
    { title: 'ROLE', value: (row) => row.role, wide: true },
    { title: 'TOKEN FILE', value: (row) => row.tokenFile, wide: true },
    { title: 'CA FILE', value: (row) => row.caFile, wide: true },
  ],
};
