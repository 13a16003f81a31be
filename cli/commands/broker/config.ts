import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import type { BrokerKind } from '../../../schemas/broker-config.ts';
import { BaseCommand, usage } from '../../base-command.ts';

const kinds = ['mosquitto', 'nats'] as const satisfies readonly BrokerKind[];

export default class BrokerConfigCommand extends BaseCommand {
  static override description =
    'the configuration of a broker that runs by itself, with the access rules of the embedded one; --out writes it, with a password for the reconciler';
  static override args = {
    kind: Args.string({ required: true, options: [...kinds], description: 'which broker' }),
  };
  static override flags = {
    out: Flags.string({ description: 'folder to write to; what is secret in it is never replaced' }),
    cluster: Flags.string({ default: 'local', description: 'name of the cluster, as in its cluster.yaml' }),
    bind: Flags.string({ default: '127.0.0.1', description: 'address to listen on' }),
    port: Flags.integer({ default: 1883, min: 1, max: 65_535, description: 'port to listen on' }),
    cert: Flags.string({ dependsOn: ['key'], description: 'PEM file of the certificate, chain included' }),
    key: Flags.string({ dependsOn: ['cert'], description: 'PEM file of its key' }),
    reconciler: Flags.string({
      multiple: true,
      default: ['reconciler'],
      description: 'user name of a reconciler; more than one: the others stand by',
    }),
  };
  static override examples = [
    '<%= config.bin %> broker config mosquitto',
    '<%= config.bin %> broker config mosquitto --out /etc/oakctl/broker --cluster edge --bind 192.168.1.2 --port 8883 --cert server.pem --key server.key',
    '<%= config.bin %> broker config nats --out broker',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BrokerConfigCommand);
    const { brokerConfig, brokerSettings, writeBrokerConfig } = await import('../../services/broker-config.ts');
    const { isReconcilerUser } = await import('../../../schemas/topics.ts');
    const kind = args.kind as BrokerKind;
    const { out, cluster, bind: host, port, cert, key, reconciler: reconcilers } = flags;
    const odd = reconcilers.find((name) => !isReconcilerUser(name));
    if (odd !== undefined) usage(`${odd} is no user name of a reconciler`, 'reconciler, or a name that begins so');
    const tls = cert === undefined || key === undefined ? {} : { tls: { cert: resolve(cert), key: resolve(key) } };
    const folder = resolve(out ?? 'broker');
    const config = { cluster, host, port, reconcilers, folder, ...tls };
    const files = brokerConfig(kind, config);
    const settings = brokerSettings(kind, config);
    if (out === undefined) {
      const text = files.map((file) => `# ${folder}/${file.name}\n${file.text}`).join('\n');
      await this.printOne(flags.output, { kind, files, settings }, { name: kind, text: () => text.trimEnd() });
      return;
    }
    const { written, kept } = await writeBrokerConfig(kind, config);
    const names = [...written, ...kept].map((name) => `${folder}/${name}`);
    await this.printOne(
      flags.output,
      { kind, folder, files, settings, written: [...written], kept: [...kept] },
      { name: folder, text: () => names.join('\n') },
    );
    this.say(`\nFor cluster.yaml, instead of \`mqtt\`:\n\n${settings}`);
  }
}
