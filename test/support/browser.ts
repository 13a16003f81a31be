/** A real browser without a way out: whatever is not this machine is not there. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const binary = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
].find(existsSync);

/** False: the tests that need Chromium are skipped. In CI it must be there. */
export function hasChromium(): boolean {
  if (!binary && process.env['CI']) throw new Error('Chromium is missing: apt-get install chromium');
  return binary !== undefined;
}

/** Names do not resolve, and the proxy is a port where nobody listens: what the browser asks its maker leads nowhere, too. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: binary ?? 'chromium',
    // Chromium has no sandbox for root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--proxy-server=127.0.0.1:9', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
}
