import { ProblemError, problem } from '../../../schemas/problem.ts';
import { BaseCommand } from '../../base-command.ts';

export default class CaExport extends BaseCommand {
  static override description =
    'print the certificate that clients of the cluster are to trust, as PEM; it is no secret';
  static override examples = [
    '<%= config.bin %> ca export > ca.pem',
    '<%= config.bin %> status --api https://192.168.1.10:10100 --token-file token --ca-file ca.pem',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(CaExport);
    const tls = await (await this.connect(flags)).tls(this.signal);
    const { authority } = tls;
    if (!authority) {
      const message = 'a public authority signed the certificate of this cluster: nothing needs to be trusted';
      throw new ProblemError(problem('NOT_FOUND', message));
    }
    await this.printOne(flags.output, authority, {
      name: authority.fingerprint,
      text: ({ certificate }) => certificate.trimEnd(),
    });
  }
}
