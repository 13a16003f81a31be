/** A project of docker-compose with the files of this package: built without a network, with names that only this process has. */
import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importBase } from './base-image.ts';
import { engineSocket } from './engine.ts';
import { cloneRepository, type GitRepo, git } from './git-repo.ts';
import { unique } from './machine.ts';

/** True where Debian's docker-compose, and the client of an Engine, are installed. Throws on a CI machine that lacks them. */
export function hasCompose(): boolean {
  const isThere = ['docker-compose', 'docker'].every((name) => spawnSync(name, ['--version']).status === 0);
  if (!isThere && process.env['CI'] === 'true' && !process.env['DOCKER_HOST'])
    throw new Error('CI needs docker-compose');
  return isThere;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  /** What it printed on both. */
  readonly text: string;
}

/** Everything from which images are built, and the images. */
export interface Workshop {
  /** The context: what `npm run image:context` made, with the compose files. */
  readonly folder: string;
  readonly image: string;
  /** What is built from `service-manager/`, or run in place of the agent's image. */
  readonly otherImage: string;
  /** A bare repository that everybody may read, and a clone of it. */
  readonly remote: string;
  readonly repository: GitRepo;
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/** Makes context, base and repository. Minutes on a busy machine. */
export async function openWorkshop(): Promise<Workshop> {
  const top = await mkdtemp(join(tmpdir(), 'oakctl-compose-'));
  await chmod(top, 0o755);
  const [folder, remote] = [join(top, 'context'), join(top, 'fleet.git')];
  const base = `oakctl/${unique('base')}:1`;
  const env = { DOCKER_HOST: `unix://${await engineSocket()}`, OAKCTL_BASE: base };
  await done(run(process.execPath, ['cli/bin/image-context.mjs', folder], {}));
  await importBase(base, join(top, 'base'));
  await git(top, 'init', '--quiet', '--bare', remote);
  const repository = await cloneRepository(remote);
  const [image, otherImage] = [`oakctl/${unique('image')}:1`, `oakctl/${unique('other')}:1`];
  return {
    folder,
    image,
    otherImage,
    remote,
    repository,
    env,
    async close() {
      const layer = await firstLayer(base, env);
      await run('docker', ['rmi', '--force', image, otherImage, base], env);
      // What the stages of the builds left: nameless, and made from this base, which nobody else has.
      const { stdout } = await run('docker', ['images', '--filter', 'dangling=true', '--quiet'], env);
      for (const id of stdout.split('\n').filter(Boolean)) {
        if (layer !== '' && (await firstLayer(id, env)) === layer) await run('docker', ['rmi', '--force', id], env);
      }
      await rm(repository.folder, { recursive: true, force: true });
      await rm(top, { recursive: true, force: true });
    },
  };
}

async function firstLayer(image: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run('docker', ['inspect', '--format', '{{index .RootFS.Layers 0}}', image], env);
  return stdout.trim();
}

export interface ComposeProject {
  /** `docker-compose -f compose.yaml -f …` with further arguments. Never throws. */
  compose(overrides: readonly string[], ...args: string[]): Promise<Ran>;
  /** `up --build -d` with these overrides; throws with what it printed. */
  up(...overrides: string[]): Promise<void>;
  /** The program inside the reconciler's container; stdout, and throws unless it exits with 0. */
  oakctl(...args: string[]): Promise<string>;
  /** As `docker`, for the Engine of the project; stdout. */
  docker(...args: string[]): Promise<string>;
  /** Id of the container of a service. */
  container(service: string): Promise<string>;
  /** Ends it, and whatever its agent started; volumes included. */
  close(): Promise<void>;
}

/** A project of its own in the workshop's folder. `variables` are exported for docker-compose. */
export function createProject(workshop: Workshop, name: string, variables: NodeJS.ProcessEnv): ComposeProject {
  const env = {
    ...workshop.env,
    OAKCTL_IMAGE: workshop.image,
    SERVICE_MANAGER_IMAGE: workshop.otherImage,
    ...variables,
  };
  let fingerprint: string | undefined;
  let last: readonly string[] = [];
  const compose: ComposeProject['compose'] = (overrides, ...args) => {
    const files = ['compose.yaml', ...overrides].flatMap((file) => ['-f', file]);
    return run('docker-compose', ['--project-name', name, ...files, ...args], env, workshop.folder);
  };
  const docker: ComposeProject['docker'] = async (...args) => (await done(run('docker', args, env))).stdout.trim();
  const project: ComposeProject = {
    compose,
    docker,
    async up(...overrides) {
      last = overrides;
      const ran = await compose(overrides, 'up', '--build', '-d');
      if (ran.code !== 0) throw failure(ran, (await compose(overrides, 'logs', '--tail=20', '--no-color')).text);
      fingerprint = (JSON.parse(await project.oakctl('status', '-o', 'json')) as { fingerprint: string }).fingerprint;
    },
    oakctl: async (...args) => (await done(compose(last, 'exec', '-T', 'reconciler', 'oakctl', ...args))).stdout.trim(),
    async container(service) {
      return (await done(compose(last, 'ps', '-q', service))).stdout.trim();
    },
    async close() {
      await compose(last, 'down', '--volumes', '--remove-orphans', '--timeout', '5');
      if (fingerprint !== undefined) await removeLabelled(docker, `label=io.oakctl.cluster=${fingerprint}`);
    },
  };
  return project;
}

async function removeLabelled(docker: ComposeProject['docker'], filter: string): Promise<void> {
  const ids = async (...list: string[]): Promise<string[]> =>
    (await docker(...list, '--filter', filter, '-q')).split('\n').filter(Boolean);
  const containers = await ids('ps', '-a');
  if (containers.length > 0) await docker('rm', '--force', ...containers);
  const networks = await ids('network', 'ls');
  if (networks.length > 0) await docker('network', 'rm', ...networks);
  const volumes = await ids('volume', 'ls');
  if (volumes.length > 0) await docker('volume', 'rm', ...volumes);
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, cwd, timeout: 600_000, maxBuffer: 1 << 26 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, text: `${stdout}${stderr}` });
    });
  });
}

async function done(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  if (ran.code === 0) return ran;
  throw failure(ran);
}

function failure({ code, text }: Ran, more = ''): Error {
  return new Error(`ended with ${code}:\n${text.slice(-4_000)}\n${more.slice(-4_000)}`);
}
