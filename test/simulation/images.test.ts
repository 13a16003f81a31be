/** Who takes images, and what the cluster notes of it. The archive itself is for test/integration/api/images.test.ts. */
import { afterEach, expect, it } from 'vitest';
import type { AgentDeps } from '../../agent/ports.ts';
import { dataFrame, type ExecConnection } from '../../schemas/exec.ts';
import { type LoadControl, loadFrame } from '../../schemas/image-load.ts';
import { RequestMessage } from '../../schemas/messages.ts';
import { parseMessage } from '../../schemas/parse.ts';
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts';
import { toldOf } from '../support/memory-story.ts';
import { joinSeed } from '../support/seed-node.ts';

let cluster: MemoryCluster;
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

const id = `sha256:${'a'.repeat(64)}`;
const start = loadFrame({ start: { images: [{ ids: [id], names: ['shop:1.4'] }], bytes: 5_000_000 } });

/** What agents say once they are asked for a session. */
let answers: LoadControl[] = [];
/** Frames that went down, and requests that were published. */
const down: Uint8Array[] = [];
const asked: RequestMessage[] = [];

async function begin(agent?: (deps: AgentDeps) => AgentDeps): Promise<void> {
  answers = [];
  down.length = 0;
  asked.length = 0;
  async function* frames() {
    for (const answer of answers) yield loadFrame(answer);
  }
  const session = () => {
    const opened: ExecConnection = {
      frames: frames(),
      send: async (frame) => void down.push(frame),
      close: () => {},
      gone: new AbortController().signal,
    };
    return { id: 'session-1', opened: Promise.resolve(opened) };
  };
  cluster = await createMemoryCluster({
    workers: 2,
    wiring: {
      reconciler: (deps) => ({
        ...deps,
        streams: { ...deps.streams, session },
        bus: {
          ...deps.bus,
          publish(topic, payload, options) {
            const parsed = parseMessage<RequestMessage>(RequestMessage, payload);
            if (parsed.ok && topic.endsWith('/requests')) asked.push(parsed.value);
            else deps.bus.publish(topic, payload, options);
          },
        },
      }),
      ...(agent && { agent }),
    },
  });
  await cluster.clock.advance(15_000);
}

const load = (node: string) => cluster.reconciler.control.loadImages(node, 'ann', new AbortController().signal);
const idOf = (at: number): string => cluster.nodes[at]?.id ?? '';
const refusal = (node: string) =>
  load(node).then(
    () => 'taken',
    (error) => `${error.problem.code} ${error.problem.message}`,
  );

async function said(connection: ExecConnection): Promise<number> {
  let frames = 0;
  for await (const _ of connection.frames) frames += 1;
  return frames;
}

it('a node is asked to take images; what was loaded is noted in the words of the sender', async () => {
  await begin();
  answers = [{ ready: true }, { taken: 5 }, { loaded: { already: false, images: [{ id, names: ['other:6.6.6'] }] } }];
  const connection = await load(idOf(0));
  expect(asked.at(-1)).toMatchObject({ action: 'open', kind: 'images', stream: 'session-1' });
  await connection.send(start);
  await connection.send(dataFrame('stdin', Buffer.from('bytes')));
  expect(down).toHaveLength(2);
  expect(await said(connection)).toBe(3);
  expect(await toldOf(cluster.reconciler, 'images_loaded')).toEqual([
    `node/${cluster.nodes[0]?.name} ann loads shop:1.4 (5 MB)`,
  ]);
});

it('is noted once, however often a node says it', async () => {
  await begin();
  answers = Array.from({ length: 100 }, () => ({ loaded: { already: false, images: [] } }));
  const connection = await load(idOf(0));
  await connection.send(start);
  await said(connection);
  expect(await toldOf(cluster.reconciler, 'images_loaded')).toHaveLength(1);
});

it('what was there already, and what failed, is no event', async () => {
  await begin();
  const lasts: readonly LoadControl[] = [
    { loaded: { already: true, images: [{ id, names: [] }] } },
    { failed: { code: 'IMAGE_NO_SPACE', message: 'full', disposition: 'stall' } },
  ];
  for (const last of lasts) {
    answers = [last];
    const connection = await load(idOf(0));
    await connection.send(start);
    await said(connection);
  }
  expect(await toldOf(cluster.reconciler, 'images_loaded')).toEqual([]);
});

it('a sender that goes on beyond the length of its archive is stopped', async () => {
  await begin();
  const connection = await load(idOf(0));
  const small = loadFrame({ start: { images: [{ ids: [id], names: [] }], bytes: 10 } });
  await connection.send(small);
  const much = dataFrame('stdin', Buffer.alloc(200 * 1024));
  await expect(
    (async () => {
      for (let count = 0; count < 10; count += 1) await connection.send(much);
    })(),
  ).rejects.toThrow('BAD_REQUEST');
});

it('nodes that cannot take images are refused, each with its reason', async () => {
  await begin();
  const plant = await joinSeed(cluster, 'plant', '42');
  expect(await refusal(plant.id)).toMatch(/^REFUSED .*seeds/);
  expect(await refusal('0123456789abcdef')).toMatch(/^REFUSED .*not joined/);
  cluster.nodes[1]?.kill();
  await cluster.clock.advance(13_000);
  expect(await refusal(idOf(1))).toMatch(/^UNAVAILABLE it is (suspect|lost)/);
  expect(await refusal(idOf(0))).toBe('taken');
});

it('an agent of before is too old', async () => {
  await begin((deps) => {
    const publish: typeof deps.bus.publish = (topic, payload, options) =>
      deps.bus.publish(topic, payload.replace(',"images"', ''), options);
    return { ...deps, bus: { ...deps.bus, publish } };
  });
  expect(await refusal(idOf(0))).toMatch(/^AGENT_TOO_OLD/);
});
