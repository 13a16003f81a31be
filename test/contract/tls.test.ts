import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { minVersion } from '../../reconciler/tls/material.ts';

const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) =>
    /^(agent|cli|reconciler|schemas|test|examples|\.ci)\/.*\.(ts|mjs|js|sh|ya?ml)$|^\.ci\/run$/.test(file),
  )
  .filter((file) => file !== 'test/contract/tls.test.ts');

/** Whoever writes one of these has switched off the check that makes TLS worth something. */
const forbidden = [
  /rejectUnauthorized['"]?\s*[:=](?!\s*true\b)/,
  /NODE_TLS_REJECT_UNAUTHORIZED/,
  /checkServerIdentity/,
  /allowPartialTrustChain/,
  /\bcurl\b.*\s(-k|--insecure)\b/,
];

describe('no file switches off the check of certificates', () => {
  it('is looked for in all of them', () => {
    expect(sources.length).toBeGreaterThan(200);
  });

  it.each(forbidden)('%s', (pattern) => {
    const found = sources.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line, at) => ({ where: `${file}:${at + 1}`, line }))
        .filter(({ line }) => pattern.test(line)),
    );
    expect(found).toEqual([]);
  });

  it('one place says which version of TLS is the least, and that is 1.2 or newer', () => {
    const product = sources.filter((file) => !file.startsWith('test/'));
    const naming = product.filter((file) => /['"]TLSv1/.test(readFileSync(file, 'utf8')));
    expect(naming).toEqual(['reconciler/tls/material.ts']);
    expect(['TLSv1.2', 'TLSv1.3']).toContain(minVersion);
  });
});
