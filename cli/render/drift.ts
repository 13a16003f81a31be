/** What people did by hand on nodes. */
import type { CopyView, DriftView, InstanceView } from '../../schemas/views.ts';
import { age } from './ages.ts';
import type { Listing } from './output.ts';

export interface DriftRow extends DriftView {
  readonly instance: string;
  readonly copy?: string;
  readonly node?: string;
}

/** One row for each copy of these instances with a drift; without `all` only those that nobody mended. The newest first. */
export function driftRows(instances: readonly InstanceView[], all: boolean): readonly DriftRow[] {
  return instances
    .flatMap((instance) => [instance, ...(instance.others ?? [])].flatMap((copy) => rowOf(instance.name, copy)))
    .filter(({ healed }) => all || !healed)
    .sort((a, b) => a.age - b.age);
}

function rowOf(instance: string, { copy, node, drift }: CopyView): DriftRow[] {
  if (!drift) return [];
  return [{ instance, ...(copy !== undefined && { copy }), ...(node !== undefined && { node }), ...drift }];
}

export const driftListing: Listing<DriftRow> = {
  nameOf: ({ instance }) => instance,
  empty: 'No drift: what runs on nodes is as oakctl made it.',
  columns: () => [
    { title: 'INSTANCE', value: ({ instance }) => instance },
    { title: 'NODE', value: ({ node }) => node },
    { title: 'WHAT', value: ({ kind, what }) => (what === undefined ? kind : `${kind}: ${what}`) },
    { title: 'AGE', value: (row) => age(row.age), right: true },
    { title: 'STATE', value: ({ healed }) => (healed ? 'healed' : 'open') },
    { title: 'COPY', value: ({ copy }) => copy, wide: true },
  ],
};
