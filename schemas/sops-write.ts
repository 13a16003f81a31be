/** A SOPS file as text, as SOPS itself lays it out. */
import { type SopsFile, type SopsLeaf, sopsValue } from './sops.ts';

/** The version of the format that is written. */
const sopsVersion = '3.9.0';

/** Paths of leaves are at most two keys deep, and no list: what oakctl writes. */
export function writeSops({ leaves, keys, modified, mac }: Omit<SopsFile, 'lines' | 'more'>): string {
  const entries = Object.entries(keys).map(([recipient, armored]) => {
    const lines = armored.trimEnd().split('\n');
    return [
      `        - recipient: ${recipient}`,
      '          enc: |',
      ...lines.map((line) => `            ${line}`),
    ].join('\n');
  });
  return [
    ...writeValues(leaves),
    'sops:',
    '    age:',
    ...entries,
    `    lastmodified: "${modified}"`,
    `    mac: ${mac}`,
    '    unencrypted_suffix: _unencrypted',
    `    version: ${sopsVersion}`,
    '',
  ].join('\n');
}

function writeValues(leaves: readonly SopsLeaf[]): readonly string[] {
  const written: string[] = [];
  let open = '';
  for (const [path, value] of leaves) {
    const [first = '', second = ''] = path.split(':');
    // What is read back as another text is quoted: a hash may look like a number, and so may a name.
    const text = sopsValue.test(value) || /^(0|[1-9]\d{0,14})$/.test(value) ? value : JSON.stringify(value);
    if (second === '') written.push(`${first}: ${text}`);
    else {
      if (open !== first) written.push(`${first}:`);
      written.push(`    ${second}: ${text}`);
    }
    open = first;
  }
  return written;
}
