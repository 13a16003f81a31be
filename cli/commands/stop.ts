import { Args, Flags } from '@oclif/core';
import { usage } from '../base-command.ts';
import type { TargetFlags } from '../contexts.ts';
import { askerOf, commitFlags, verbFlags, verbRequest } from '../flags.ts';
import { chooseCluster } from '../local/choose.ts';
import { localPaths } from '../local/folders.ts';
import { renderStop } from '../render/local.ts';
import { actorName } from '../services/actor.ts';
import { VerbCommand, type VerbWait, waitFlags } from '../verb-command.ts';

type StopFlags = TargetFlags &
  VerbWait &
  Parameters<typeof verbRequest>[0] &
  Parameters<typeof askerOf>[0] & { readonly commit: boolean };

export default class Stop extends VerbCommand {
  static override description =
    'stop a cluster that `up` made, one worker of it, or a service: a service for a time (--for), or until `start`; what git owns for 1h unless said otherwise, or with --commit by `replicas: 0`';
  static override args = { name: Args.string({ description: 'a worker of this machine, or a service' }) };
  static override flags = {
    name: Flags.string({ description: 'name of the cluster' }),
    hard: Flags.boolean({ description: 'kill the worker and its instances at once, as a power cut would' }),
    ...verbFlags,
    ...commitFlags,
    ...waitFlags,
  };
  static override examples = [
    '<%= config.bin %> stop',
    '<%= config.bin %> stop worker-1 --hard',
    '<%= config.bin %> stop shop.default.web.default --for 10m',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Stop);
    if (flags.hard && !args.name) usage('--hard stops one worker', 'name it: `oakctl stop worker-1 --hard`');
    const isTimed = flags.for !== undefined || flags.reason !== undefined || flags.commit;
    if (isTimed && !args.name)
      usage('--for, --reason and --commit stop a service', 'name it: `oakctl stop web --for 10m`');
    const { stopCluster, stopWorker } = await import('../local/stop.ts');
    const name = await chooseCluster(flags, process.env, this.home);
    const { hasWorker } = await import('../local/marker.ts');
    if (args.name && !flags.hard && (isTimed || !(await hasWorker(localPaths(this.home, name), args.name))))
      return this.stopService(args.name, flags);
    const report = args.name
      ? await stopWorker({ home: this.home, name, worker: args.name, hard: flags.hard })
      : await stopCluster({ home: this.home, name });
    await this.printOne(flags.output, report, { name, text: renderStop });
  }

  private async stopService(service: string, flags: StopFlags): Promise<void> {
    const api = await this.connect(flags);
    if (flags.commit) {
      const { commitStop } = await import('../services/commit-service.ts');
      const committed = await commitStop(api, service, askerOf(flags), this.signal);
      return this.conclude(api, committed, { ...flags, text: 'stopped' });
    }
    const answer = await api.stop(service, { ...verbRequest(flags), actor: actorName() }, this.signal);
    await this.conclude(api, answer, { ...flags, text: 'stopped', goal: 'stopped' });
  }
}
