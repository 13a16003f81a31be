/** From a run spec and the grants of a node to what an engine is asked for, over real paths. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createAccess } from '../../../agent/runtimes/access.ts';
import { createOptions } from '../../../agent/runtimes/docker/options.ts';
import { digestOf } from '../../../schemas/digest.ts';
import { Grant } from '../../../schemas/grants.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import { parseRunSpec, RunSpecSchema } from '../../../schemas/run-spec.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { campaign } from '../../support/fuzz/campaign.ts';
import { isGranted, requireClosed, requireThat } from '../../support/fuzz/closed-type.ts';
import { fromSchema, someMood } from '../../support/fuzz/from-schema.ts';
import { wellFormed } from '../../support/fuzz/mutate.ts';
import type { Dice } from '../../support/fuzz/random.ts';
import { anything, fromEntries, hostileKeys } from '../../support/fuzz/values.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'oakctl-fuzz-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
for (const folder of ['data/below', 'other', 'agent/state']) mkdirSync(join(root, folder), { recursive: true });
writeFileSync(join(root, 'data/file'), 'x');
symlinkSync('../other', join(root, 'data/out'));
symlinkSync('below', join(root, 'data/in'));
symlinkSync('/etc', join(root, 'data/etc'));
symlinkSync('../agent', join(root, 'data/agent'));
symlinkSync('/', join(root, 'data/top'));

/** What is really there, so that some cases come through, and what leads astray. */
const inside = [
  'data',
  'data/below',
  'data/file',
  'data/out',
  'data/in',
  'data/etc',
  'data/agent',
  'data/top',
  'other',
];
const outside = ['/', '/etc', '/var/lib/docker', '/nonexistent', `${root}/data/../agent`];
const sources = [...inside.map((path) => join(root, path)), ...outside];
const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/fuse', '/dev/shm', '/dev/stdin', '/dev/../etc/passwd'];
const caps = ['NET_ADMIN', 'SYS_TIME', 'SYS_ADMIN', 'CHOWN', 'ALL'];
const instance = 'shop.prod.web.prod.instance.0';
const place = { cluster: 'c'.repeat(64), node: '0123456789abcdef', ip: '127.0.0.2', network: 'oakctl-cccccccccccc' };

const some = <T>(list: readonly T[], dice: Dice): T[] => Array.from({ length: dice.upTo(3) }, () => dice.pick(list));

function someHost(dice: Dice): NonNullable<RunSpec['host']> {
  const targets = ['/data', '/srv/x', '/etc/app', '/data/y', '/proc', '/', '/a/../b'];
  const mount = () => ({
    source: dice.pick(sources),
    target: dice.pick(targets),
    ...(dice.chance(0.5) && { read_only: dice.chance(0.7) }),
  });
  return {
    ...(dice.chance(0.4) && { devices: some(devices, dice) }),
    ...(dice.chance(0.6) && { mounts: Array.from({ length: dice.upTo(3) }, mount) }),
    ...(dice.chance(0.3) && { network: 'host' as const }),
    ...(dice.chance(0.4) && { caps: some(caps, dice) }),
  };
}

function someGrant(dice: Dice): Grant {
  if (dice.chance(0.2)) return fromSchema(Grant, dice, { wildness: 0, richness: 0.5 }) as Grant;
  const mounts = some(sources, dice).map((path) => ({ path, ...(dice.chance(0.4) && { read_only: true }) }));
  return {
    app: dice.pick(['*', 'shop.prod', 'shop.prod', 'shop.default', 'shop']),
    ...(dice.chance(0.3) && { service: dice.pick(['web.prod', 'db.prod']) }),
    ...(dice.chance(0.4) && { privileged: dice.chance(0.8) }),
    ...(dice.chance(0.7) && { devices: [...devices.slice(0, 4), ...some(devices, dice)] }),
    ...(dice.chance(0.8) && { mounts }),
    ...(dice.chance(0.6) && { network: 'host' as const }),
    ...(dice.chance(0.7) && { caps: some(caps, dice) }),
  };
}

/** Where a path leads to. */
function follow(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Throws unless the request holds what was granted, and nothing that was not. */
function requireWithin(run: RunSpec, grants: readonly Grant[], options: Parameters<typeof requireClosed>[0]): void {
  requireThat(isGranted('shop.prod', 'web.prod', run, grants), 'given without a grant');
  const { devices: asked = [], caps: named = [], network } = run.host ?? {};
  const privileged = run.privileged === true;
  requireClosed(options, {
    volumes: `oakctl-${place.cluster.slice(0, 12)}-${place.node}.${instance}.`,
    network: network === 'host' ? 'host' : place.network,
    caps: [...named, ...(privileged ? ['SYS_ADMIN'] : [])],
    devices: [...asked, ...(privileged ? ['/dev/fuse'] : [])].map(follow),
    folders: grants
      .flatMap((grant) => grant.mounts ?? [])
      .map(({ path, read_only }) => ({ path: follow(path), writable: read_only !== true })),
  });
  requireThat(!JSON.stringify(options).includes(`"Source":"${root}/agent`), "the agent's own folder");
}

campaign({
  name: 'container options',
  share: 0.2,
  accepted: 0.1,
  async one(dice) {
    const written = wellFormed(fromSchema(RunSpecSchema, dice, someMood(dice))) as RunSpec;
    const run = typeof written === 'object' && dice.chance(0.7) ? { ...written, host: someHost(dice) } : written;
    if ('disposition' in parseRunSpec(run)) return 'refused';
    const grants = Array.from({ length: dice.upTo(4) }, () => someGrant(dice));
    const access = createAccess({ grants, own: [join(root, 'agent')] });
    try {
      const granted = await access.admit(instance, run);
      // Members that nobody knows change nothing: what is sent is built, not merged.
      const strange = fromEntries([[dice.pick(hostileKeys), anything(dice)]]);
      const plan = { instance, copy: '3.9', digest: digestOf(run), run: { ...strange, ...run } };
      requireWithin(run, grants, createOptions(plan, place, granted));
      return 'accepted';
    } catch (error) {
      if (!isProblemError(error)) throw error;
      requireThat(['HOST_NOT_GRANTED', 'START_FAILED'].includes(error.problem.code), error.problem.code);
      requireThat(
        run.host !== undefined || run.privileged === true || run.volumes !== undefined,
        'refused although it asks for nothing',
      );
      return 'refused';
    }
  },
});
