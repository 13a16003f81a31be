/** The words of a command line, as a shell would split them. Pure. */

/** Quotes and backslashes as in POSIX "Quoting"; undefined when a quote is not closed. Nothing is expanded. */
export function splitWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const one = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote === "'" ? one === "'" : one === quote) quote = undefined;
    else if (one === '\\' && quote !== "'" && (quote === undefined || /["\\$`]/.test(next))) {
      word = (word ?? '') + next;
      at += 1;
    } else if (quote === undefined && (one === "'" || one === '"')) {
      quote = one;
      word ??= '';
    } else if (quote === undefined && /\s/.test(one)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + one;
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}
