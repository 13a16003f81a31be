/**
 * Does `work` with a signal that aborts when one of these does. As `AbortSignal.any`, but nothing of it stays: Node 20 keeps a
 * reference for each such signal on those it was made of, as long as they live, and some of ours live as long as the process.
 */
export async function withEither<T>(
  signals: readonly AbortSignal[],
  work: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new AbortController();
  const leaves = signals.map((signal) => {
    const end = (): void => either.abort(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    return () => signal.removeEventListener('abort', end);
  });
  try {
    return await work(either.signal);
  } finally {
    for (const leave of leaves) leave();
  }
}
