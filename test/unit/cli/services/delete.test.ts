import { expect, it } from 'vitest';
import { waitUntilGone } from '../../../../cli/services/delete.ts';
import type { InstanceView, ServiceView } from '../../../../schemas/views.ts';

const name = 'shop.test.web.test';

/** An API whose service loses one entry of `statuses` per look. */
function api(...looks: readonly (readonly string[])[]) {
  let look = 0;
  return {
    services: () => {
      const statuses = looks[Math.min(look++, looks.length - 1)] ?? [];
      const instances = statuses.map((status, slot) => ({ name: `${name}.instance.${slot}`, node: 'edge-1', status }));
      const view = { name, instances: instances as unknown as InstanceView[] } as unknown as ServiceView;
      return Promise.resolve(statuses.length === 0 ? [] : [view]);
    },
  };
}

async function told(...looks: readonly (readonly string[])[]): Promise<string[]> {
  const said: string[] = [];
  await waitUntilGone(api(...looks), [name], (text) => said.push(text), new AbortController().signal);
  return said;
}

it('waits until no copy is left, and says how many there are', async () => {
  expect(await told(['running', 'running'], ['stopping'], [])).toEqual([
    `${name}  removing  2 left`,
    `${name}  removing  1 left`,
  ]);
});

it('does not wait for a lost node, but says what is still there', async () => {
  const said = await told(['running', 'lost'], ['lost']);
  expect(said.at(-1)).toBe(`${name}.instance.0 is on edge-1, which is lost: it goes when that returns`);
});
