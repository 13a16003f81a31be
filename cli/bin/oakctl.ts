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

const { runCommandLine } = await import('../run.ts');
process.exit(await runCommandLine(process.argv.slice(2), import.meta.url));
