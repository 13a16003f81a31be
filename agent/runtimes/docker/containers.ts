/**
 * Containers by copy: found, created, started, stopped, removed. Nothing is touched before labels and name were checked; the
 * id of what was checked once is remembered, because neither labels nor the name of an id of ours change under our hands.
 */
import { containerName, containerNames } from '../../../schemas/names.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { Access } from '../access.ts';
import type { CopyKey, CopyPlan, Runnable } from '../runtime.ts';
import type { Secrets } from '../secrets.ts';
import { type Engine, limits, messageOf, statusOf } from './engine.ts';
import { putFiles } from './files.ts';
import { type Owner, ownership } from './labels.ts';
import { joinAgain } from './network.ts';
import { type CreateOptions, createOptions, type Place } from './options.ts';
import { ensureVolumes } from './volumes.ts';

export interface Containers {
  /** Id of our container of this copy; undefined when there is none. NAME_CONFLICT when a stranger has its name. */
  find(key: CopyKey, signal: AbortSignal): Promise<string | undefined>;
  create(plan: CopyPlan, signal: AbortSignal): Promise<void>;
  start(plan: CopyPlan, signal: AbortSignal): Promise<void>;
  stop(key: CopyKey, grace: number, signal: AbortSignal): Promise<void>;
  remove(key: CopyKey, signal: AbortSignal): Promise<void>;
  /** What was remembered under this id is not ours any more, e.g. renamed by hand. */
  forget(id: string): void;
}

export function createContainers(
  engine: Engine,
  place: Place,
  access: Access,
  ensureNetwork: EnsureNetwork,
  findImage: FindImage,
  secrets: Secrets,
): Containers {
  const ids = new Map<string, string>();
  /** Containers that are known to have their files. */
  const filled = new Set<string>();
  const nameOf = (key: CopyKey) => containerName(key.instance, key.copy);

  async function find(key: CopyKey, signal: AbortSignal): Promise<string | undefined> {
    const name = nameOf(key);
    const known = ids.get(name);
    if (known) return known;
    for (const candidate of containerNames(key.instance, key.copy, place.cluster)) {
      const found = await inspectOurs(engine, place, candidate, signal);
      if (typeof found !== 'object') continue;
      ids.set(name, found.id);
      return found.id;
    }
    return undefined;
  }

  /** Runs `action` on our container. One that was remembered and is gone is looked up anew, once. */
  async function act(key: CopyKey, signal: AbortSignal, action: (id: string) => Promise<unknown>): Promise<boolean> {
    const name = nameOf(key);
    for (;;) {
      const remembered = ids.has(name);
      const id = await find(key, signal);
      if (!id) return false;
      try {
        await action(id);
        return true;
      } catch (error) {
        if (!isMissing(error)) throw error;
        ids.delete(name);
        if (!remembered) return false;
      }
    }
  }

  /** Puts the files into a container that was just made. What cannot be filled is taken away: it is not what was asked for. */
  async function fillNew(id: string, plan: CopyPlan, signal: AbortSignal): Promise<void> {
    const { files = [] } = plan.run;
    if (files.length === 0) return;
    try {
      await putFiles(engine, id, files, signal);
      filled.add(id);
    } catch (error) {
      if (statusOf(error) !== undefined) await removeContainer(engine, id, signal);
      throw startProblem(nameOf(plan), error);
    }
  }

  /** Before every start: files that an agent did not live to put, and a last look at what is mounted. */
  async function makeReady(id: string, plan: CopyPlan, signal: AbortSignal): Promise<void> {
    const { files = [], host } = plan.run;
    await secrets.put(plan);
    const unfilled = files.length > 0 && !filled.has(id);
    if (!unfilled && !host?.mounts?.length) return;
    const found = await engine.call(limits.read, signal, (docker) => docker.getContainer(id).inspect());
    await access.recheck(
      (found.HostConfig.Mounts ?? []).filter(({ Type }) => Type === 'bind').map(({ Source }) => Source),
    );
    // What was started once had its files, and may have changed them since.
    if (unfilled && found.State.Status === 'created') await putFiles(engine, id, files, signal);
    filled.add(id);
  }

  return {
    find,
    async create(plan, signal) {
      const name = nameOf(plan);
      const granted = await access.admit(plan.instance, plan.run, await foldersOf(engine, plan, signal));
      // What cannot be decrypted here is no container: the copy before it runs on.
      const sealed = await secrets.prepare(plan);
      if (!granted.hostNetwork) await ensureNetwork(false, signal);
      await ensureVolumes(engine, place, plan, signal);
      // Looked up only where the name alone could mean other bytes: it is on the way of every start.
      const named = plan.run.content === undefined && !plan.run.code.includes('@');
      const Image = named ? plan.run.code : await findImage(plan.run, signal);
      const options = { ...createOptions(plan, place, { ...granted, binds: [...granted.binds, ...sealed] }), Image };
      const made = await createOrAdopt(engine, plan, options, place, signal);
      ids.set(name, made.id);
      if (made.fresh) await fillNew(made.id, plan, signal);
    },
    async start(plan, signal) {
      const name = nameOf(plan);
      const begin = (id: string) => startContainer(engine, id, signal);
      const beginAnew = async (id: string): Promise<void> => {
        await ensureNetwork(true, signal);
        await begin(id).catch(async (error) => {
          if (!isNetworkTrouble(error)) throw error;
          await joinAgain(engine, place.network, id, signal);
          await begin(id);
        });
      };
      const found = await act(plan, signal, async (id) => {
        await makeReady(id, plan, signal);
        try {
          await begin(id);
        } catch (error) {
          if (!isNetworkTrouble(error)) throw startProblem(name, error);
          await beginAnew(id).catch((again) => {
            throw startProblem(name, again);
          });
        }
      });
      if (!found) throw new ProblemError(problem('NOT_FOUND', `there is no container ${name}`, { subject: name }));
    },
    async stop(key, grace, signal) {
      await act(key, signal, (id) => stopContainer(engine, id, grace, signal));
    },
    async remove(key, signal) {
      await act(key, signal, (id) => {
        filled.delete(id);
        return removeContainer(engine, id, signal);
      });
      await secrets.remove(key);
      ids.delete(nameOf(key));
    },
    forget(id) {
      for (const [name, known] of ids) if (known === id) ids.delete(name);
    },
  };
}

/** Makes sure of the network: once, or `again` because the engine says that it is gone. */
export type EnsureNetwork = (again: boolean, signal: AbortSignal) => Promise<void>;

/** A reference by which the engine finds the image of a copy. */
export type FindImage = (run: Runnable, signal: AbortSignal) => Promise<string>;

interface Inspected {
  readonly id: string;
  readonly digest: string;
}

/** Ours of this name, or none, or that a container of another cluster has it. NAME_CONFLICT: any other stranger has. */
async function inspectOurs(
  engine: Engine,
  owner: Owner,
  name: string,
  signal: AbortSignal,
): Promise<Inspected | 'of another cluster' | undefined> {
  try {
    const found = await engine.call(limits.read, signal, (docker) => docker.getContainer(name).inspect());
    const owned = ownership(owner, [found.Name], found.Config.Labels);
    if (owned.kind === 'stranger' && owned.ofOtherCluster) return 'of another cluster';
    if (owned.kind === 'stranger') throw conflict(name, owned.why);
    return { id: found.Id, digest: owned.digest };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The engine's own data, for those who ask for folders of the host. */
async function foldersOf(engine: Engine, { run }: CopyPlan, signal: AbortSignal): Promise<readonly string[]> {
  if (!run.host?.mounts?.length) return [];
  const info = await engine.call(limits.read, signal, (docker) => docker.info());
  const folder: unknown = info?.DockerRootDir;
  return typeof folder === 'string' && folder.startsWith('/') ? [folder] : [];
}

async function createOrAdopt(
  engine: Engine,
  plan: CopyPlan,
  options: CreateOptions,
  owner: Owner,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly fresh: boolean }> {
  const names = containerNames(plan.instance, plan.copy, owner.cluster);
  for (const name of names) {
    const make = async () => ({ id: await createContainer(engine, name, options, signal), fresh: true });
    try {
      return await make();
    } catch (error) {
      if (statusOf(error) !== 409) throw createProblem(plan, error);
    }
    const existing = await inspectOurs(engine, owner, name, signal);
    // Clusters count their copies from one number each, and two may have the same application.
    if (existing === 'of another cluster') continue;
    // Removed between the two requests: whoever asked again would succeed.
    if (!existing) return make();
    if (existing.digest !== plan.digest) throw conflict(name, `it is our copy of another digest, ${existing.digest}`);
    return { id: existing.id, fresh: false };
  }
  throw conflict(names[1], 'it belongs to another cluster');
}

async function createContainer(engine: Engine, name: string, options: CreateOptions, signal: AbortSignal) {
  const made = await engine.call(limits.change, signal, (docker) => {
    // `_query` and `_body` keep the body, which may hold secrets, out of the request line.
    const request = { _query: { name }, _body: options };
    return docker.createContainer(request as unknown as Parameters<typeof docker.createContainer>[0]);
  });
  return made.id;
}

async function startContainer(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.call(limits.change, signal, (docker) => docker.getContainer(id).start());
  } catch (error) {
    if (statusOf(error) !== 304) throw error;
  }
}

async function stopContainer(engine: Engine, id: string, grace: number, signal: AbortSignal): Promise<void> {
  // The engine counts in seconds.
  const t = Math.ceil(Math.max(0, grace) / 1000);
  try {
    await engine.call(t * 1000 + limits.stopExtra, signal, (docker) => docker.getContainer(id).stop({ t }));
  } catch (error) {
    if (statusOf(error) !== 304) throw error;
  }
}

/**
 * Removes by force. Volumes stay, those without a name too (`v` false): what an image declared as its data may be the only
 * copy of it, and removing data is asked for, never implied.
 */
async function removeContainer(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.call(limits.change, signal, (docker) => docker.getContainer(id).remove({ force: true, v: false }));
  } catch (error) {
    // 409: its removal is already in progress.
    if (statusOf(error) !== 409) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && /no such container/i.test(messageOf(error));
}

/** The network is gone, or two agents made it at the same moment and one of the two is not removed yet. */
function isNetworkTrouble(error: unknown): boolean {
  const message = messageOf(error);
  return (statusOf(error) === 404 && /network/i.test(message)) || /network \S+ is ambiguous/i.test(message);
}

function conflict(name: string, why: string): ProblemError {
  const hint = `rename or remove it: \`docker rename ${name} <other name>\``;
  return new ProblemError(
    problem('NAME_CONFLICT', `a container named ${name} exists and is not ours: ${why}`, { subject: name, hint }),
  );
}

function createProblem(plan: CopyPlan, error: unknown): unknown {
  const status = statusOf(error);
  if (status === undefined) return error;
  const { code } = plan.run;
  if (status === 404 && /image/i.test(messageOf(error))) {
    const text = `image ${code} is not on this node`;
    return new ProblemError(problem('IMAGE_NOT_FOUND', text, { subject: code, disposition: 'retry' }), {
      cause: error,
    });
  }
  return startProblem(containerName(plan.instance, plan.copy), error);
}

function startProblem(name: string, error: unknown): unknown {
  const status = statusOf(error);
  if (status === undefined || isMissing(error)) return error;
  const disposition = status === 400 ? 'stall' : 'retry';
  return new ProblemError(
    problem('START_FAILED', `the engine refuses: ${messageOf(error)}`, { subject: name, disposition }),
    { cause: error },
  );
}
