/** What became of the agent of this machine. */
import type { UninstallReport } from '../local/agent-uninstall.ts';
import { count } from './counts.ts';

export function renderUninstall({ node, folder, containers, processes, kept }: UninstallReport): string {
  const head = `${node ?? folder} is uninstalled: ${count(containers, 'container')} removed, ${processes} processes ended`;
  return [head, ...kept.map((what) => `  kept: ${what}`)].join('\n');
}
