// `npm start`: works from a fresh clone with nothing but Node. Installs and builds what is missing, then runs cli/start.ts.
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

ensureInstalled();
ensureBuilt();
const { runStart } = await import(new URL('dist/cli/start.js', root).href);
process.exit(await runStart(process.argv.slice(2)));
