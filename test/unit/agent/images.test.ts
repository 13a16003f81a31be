/** Images that come without a registry, at a whole agent: what waits for one goes on. */
import { expect, test } from 'vitest';
import type { ImageLoader } from '../../../agent/runtimes/runtime.ts';
import { dataFrame, type ExecConnection } from '../../../schemas/exec.ts';
import { type LoadControl, loadFrame, parseLoadFrame } from '../../../schemas/image-load.ts';
import { messageVersion } from '../../../schemas/messages.ts';
import { topic } from '../../../schemas/topics.ts';
import { started, steps } from './loop-support.ts';
import { container, createRig, jobOf, node, partOf, type Rig } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const v1 = container('web:1');
const by = 'rec';
const id = `sha256:${'a'.repeat(64)}`;

/** The agent gets an engine that takes every archive, and is sent one. Answers what it said. */
async function load(rig: Rig, names: readonly string[]): Promise<LoadControl[]> {
  let has = false;
  const engine: ImageLoader = {
    ownImages: async (images) =>
      has ? { already: true, images: images.map((image) => ({ id, names: image.names })) } : undefined,
    async loadImages(archive) {
      let bytes = 0;
      for await (const piece of archive) bytes += piece.length;
      has = bytes === 3;
    },
  };
  Object.assign(rig.runtime, engine);
  const said: LoadControl[] = [];
  let over = (): void => {};
  const closed = new Promise<void>((resolve) => {
    over = resolve;
  });
  async function* frames() {
    yield loadFrame({ start: { images: [{ ids: [id], names: [...names] }], bytes: 3 } });
    yield dataFrame('stdin', Buffer.from('abc'));
    yield loadFrame({ end: true });
    await closed;
  }
  const connection: ExecConnection = {
    frames: frames(),
    async send(raw) {
      const frame = parseLoadFrame(raw);
      if ('kind' in frame && frame.kind === 'control') said.push(frame.control);
    },
    close: over,
    gone: new AbortController().signal,
  };
  rig.sessions.set('s1', connection);
  const request = { v: messageVersion, action: 'open', stream: 's1', kind: 'images' };
  rig.reconciler.publish(topic(node, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
  await rig.clock.until(() => said.some((one) => 'loaded' in one || 'failed' in one), 1_000);
  await rig.clock.advance(100);
  return said;
}

const pulls = (rig: Rig): number => steps(rig).filter((call) => call === 'prepare web:1').length;

test('a copy that waits for its next pull tries at once', async () => {
  const rig = await started();
  rig.runtime.script('prepare', 'web:1', { fail: 'REGISTRY_UNREACHABLE', times: 4 });
  rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
  await rig.clock.until(() => pulls(rig) === 4, 400_000);
  await rig.clock.advance(1_000);
  expect(rig.status('1.1')).toBe('failed');
  const said = await load(rig, ['web:1']);
  expect(said.at(-1)).toEqual({ loaded: { already: false, images: [{ id, names: ['web:1'] }] } });
  await rig.clock.advance(200);
  expect(rig.status('1.1')).toBe('running');
});

test('a pull that hangs begins anew when its image came, and no other one does', async () => {
  const rig = await started();
  const undo = rig.runtime.script('prepare', 'web:1', 'hang');
  rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
  await rig.clock.advance(500);
  undo();
  await load(rig, ['other:1']);
  expect(pulls(rig)).toBe(1);
  await load(rig, ['docker.io/library/web:1']);
  await rig.clock.advance(200);
  expect(pulls(rig)).toBe(2);
  expect(rig.status('1.1')).toBe('running');
});

test('an agent whose owner names the registries of its images takes no archive', async () => {
  const rig = createRig({}, { grants: [], accepts: { registries: ['docker.io'] } });
  await rig.boot();
  expect(await load(rig, ['web:1'])).toMatchObject([{ failed: { code: 'IMAGE_NOT_ALLOWED' } }]);
});

test('an agent without an engine refuses', async () => {
  const rig = await started();
  async function* frames() {
    yield loadFrame({ start: { images: [{ ids: [id], names: [] }], bytes: 3 } });
  }
  const said: string[] = [];
  rig.sessions.set('s1', {
    frames: frames(),
    send: async (raw) => void said.push(Buffer.from(raw).toString()),
    close: () => {},
    gone: new AbortController().signal,
  });
  const request = { v: messageVersion, action: 'open', stream: 's1', kind: 'images' };
  rig.reconciler.publish(topic(node, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
  await rig.clock.until(() => said.length > 0, 1_000);
  expect(said[0]).toContain('REFUSED');
});
