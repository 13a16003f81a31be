/**
 * Carries work on subjects out in the order in which it was asked for: what shares no subject with another goes beside it, and begins
 * in the turn of the caller. What one throws is its caller's alone. So each request begins from what is on disk and in force of the one
 * before.
 */
export function createSubjectTurns(): <T>(subjects: readonly string[], work: () => Promise<T>) => Promise<T> {
  /** The last work on each subject, while it is under way or waits. */
  const last = new Map<string, Promise<unknown>>();
  return (subjects, work) => {
    const before = subjects.flatMap((subject) => last.get(subject) ?? []);
    const done = before.length === 0 ? work() : Promise.all(before).then(work);
    const ended = done
      .catch(() => undefined)
      .then(() => {
        for (const subject of subjects) if (last.get(subject) === ended) last.delete(subject);
      });
    for (const subject of subjects) last.set(subject, ended);
    return done;
  };
}
