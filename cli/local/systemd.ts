/** systemd of this machine, as far as an agent is installed as its service. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { ProblemError, problem } from '../../schemas/problem.ts';

const unit = 'oakctl-agent.service';
/** Of units that an administrator made. */
export const unitFile = `/etc/systemd/system/${unit}`;

/** True where systemd is what runs services; its folder is there before its first service. */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/** Writes the unit. It is started by {@link startService}. */
export async function writeUnit(text: string): Promise<void> {
  await writeFile(unitFile, text, { mode: 0o644 });
}

/** Starts the service, now and at each boot, as its unit says now. UNAVAILABLE with what systemd says. */
export async function startService(): Promise<void> {
  await systemctl('daemon-reload');
  await systemctl('enable', '--quiet', unit);
  await systemctl('restart', unit);
}

/** Stops it if it runs. */
export async function stopService(): Promise<void> {
  if (await isInstalled()) await systemctl('stop', unit);
}

/** Stops it and removes the unit; false when there was none. */
export async function removeService(): Promise<boolean> {
  if (!(await isInstalled())) return false;
  if (hasSystemd()) await systemctl('disable', '--now', '--quiet', unit);
  await rm(unitFile, { force: true });
  if (hasSystemd()) await systemctl('daemon-reload');
  return true;
}

async function isInstalled(): Promise<boolean> {
  return readFile(unitFile).then(
    () => true,
    () => false,
  );
}

function systemctl(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('systemctl', args, (error, _stdout, stderr) => {
      if (!error) return resolve();
      const hint = 'systemctl status oakctl-agent; journalctl -u oakctl-agent -n 50';
      const what = `systemctl ${args.join(' ')} failed: ${stderr.trim() || error.message}`;
      reject(new ProblemError(problem('UNAVAILABLE', what, { hint })));
    });
  });
}
