#!/usr/bin/env node
/** The command line. Commands handle their own failures; here is what happens before one is found, and the exit. */
import nodeModule from 'node:module';

// From Node 22 on: compiled code of a previous start is used again.
(nodeModule as { enableCompileCache?: () => void }).enableCompileCache?.();

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader (`| head`) has seen enough.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

if (process.argv[2] === '__complete') {
  const { complete } = await import('../completion/run.ts');
  process.stdout.write(await complete(process.argv.slice(3), new URL('../../../oclif.manifest.json', import.meta.url)));
  // A shell waits for this answer: whatever is still open is left behind.
  process.exit(0);
}

const { runCommandLine } = await import('../run.ts');
process.exit(await runCommandLine(process.argv.slice(2), import.meta.url));
