import { fileURLToPath } from 'node:url';
import { Args, Flags } from '@oclif/core';
import { isAddress } from '../../schemas/addresses.ts';
import { BaseCommand, usage } from '../base-command.ts';
import { changeContexts } from '../contexts.ts';
import { insecureFlag } from '../flags.ts';
import { chooseCluster } from '../local/choose.ts';
import { renderUp } from '../render/local.ts';

export default class Up extends BaseCommand {
  static override description =
    'bring up a cluster on this machine, or one worker or the reconciler of it; what is up already stays';
  static override args = {
    worker: Args.string({ description: 'only this worker, or `reconciler`, of a cluster that exists' }),
  };
  static override flags = {
    name: Flags.string({ description: 'name of the cluster (default the current one if it is here, or myCluster)' }),
    workers: Flags.integer({ min: 1, description: 'how many workers (default 3)' }),
    runtime: Flags.option({
      options: ['docker', 'process'] as const,
      description: 'what the workers run (default docker if an Engine answers)',
    })(),
    'api-port': Flags.integer({
      min: 1,
      max: 65_535,
      description: 'port of the API (default 10100, or the next free one)',
    }),
    'mqtt-port': Flags.integer({
      min: 1,
      max: 65_535,
      description: 'port of the broker (default 10003, or the next free one)',
    }),
    bind: Flags.string({
      description: 'address that API and broker listen on, with TLS that needs no care (default loopback)',
    }),
    [insecureFlag]: Flags.boolean({
      description: 'with --bind: without TLS; every token and password can be read on the way',
      dependsOn: ['bind'],
    }),
    compat: Flags.option({
      options: ['mycluster'] as const,
      description: "also serve MyCluster's API on 127.0.0.1:5000, without a token",
    })(),
  };
  static override examples = [
    '<%= config.bin %> up',
    '<%= config.bin %> up --name test --workers 4',
    '<%= config.bin %> up worker-1',
    '<%= config.bin %> up --name office --bind 192.168.1.10',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Up);
    const { up } = await import('../local/up.ts');
    if (flags.bind !== undefined && !isAddress(flags.bind))
      usage(`\`${flags.bind}\` is no IP address`, '`ip -br addr`');
    const name = await chooseCluster(flags, process.env, this.home);
    const report = await up(
      {
        home: this.home,
        env: process.env,
        name,
        program: fileURLToPath(new URL('../bin/oakctl.js', import.meta.url)),
        say: (text) => this.say(text),
        ports: {
          ...(flags['api-port'] && { api: flags['api-port'] }),
          ...(flags['mqtt-port'] && { mqtt: flags['mqtt-port'] }),
        },
        ...(flags.compat && { compat: flags.compat }),
        ...(flags.bind && { bind: { host: flags.bind, insecure: flags[insecureFlag] } }),
        ...(args.worker && { only: args.worker }),
        ...(flags.workers && { workers: flags.workers }),
        ...(flags.runtime && { runtime: flags.runtime }),
      },
      this.signal,
    );
    if (!args.worker) await changeContexts(this.home, (file) => ({ ...file, current: name }));
    await this.printOne(flags.output, report, { name, text: (value) => renderUp(value, this.paint(), 'oakctl') });
  }
}
