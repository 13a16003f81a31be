/**
 * Writes the schemas for editors and those of outputs to schemas/json (`npm run gen`), or with `--check` says which of them are out of date
 * (`npm run verify:gen`, exit code 1). Run from dist/schemas.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { editorSchemas } from './editor-schemas.ts';
import { outputSchemas } from './output-schemas.ts';

const folder = fileURLToPath(new URL('../../schemas/json/', import.meta.url));
const stale = Object.entries({ ...editorSchemas(), ...outputSchemas() }).filter(([name, text]) => {
  const path = `${folder}${name}`;
  return !existsSync(path) || readFileSync(path, 'utf8') !== text;
});
const names = stale.map(([name]) => name).join(', ');

if (process.argv.includes('--check')) {
  if (stale.length > 0) {
    process.stderr.write(`out of date in schemas/json: ${names}; run: npm run gen\n`);
    process.exitCode = 1;
  }
} else {
  mkdirSync(`${folder}output`, { recursive: true });
  for (const [name, text] of stale) writeFileSync(`${folder}${name}`, text);
  process.stderr.write(stale.length > 0 ? `written to schemas/json: ${names}\n` : 'schemas/json is up to date\n');
}
