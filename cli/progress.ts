/** Shows progress lines on a stream: in place on a terminal, otherwise one line per change. */
import { stripVTControlCharacters } from 'node:util';
import type { ProgressLine } from './render/progress.ts';

export interface Progress {
  show(lines: readonly ProgressLine[]): void;
  /** Leaves the last state standing. */
  end(): void;
}

export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

/** How long an unchanged state goes without a line where there is no terminal, so that a build server sees life. ms. */
const heartbeat = 15_000;

export function createProgress(stream: ProgressStream, now: () => number = () => performance.now()): Progress {
  return stream.isTTY ? inPlace(stream) : lineByLine(stream, now);
}

function inPlace(stream: ProgressStream): Progress {
  let drawn = 0;
  let last = '';
  return {
    show(lines) {
      const room = Math.max(1, (stream.rows ?? 24) - 2);
      const hidden = lines.length - room;
      const texts = lines.slice(0, room).map(({ text }) => text);
      if (hidden > 0) texts[room - 1] = `... and ${hidden + 1} more`;
      const block = texts.join('\n');
      if (block === last) return;
      const up = drawn > 0 ? `\u001b[${drawn}A` : '';
      stream.write(`${up}\u001b[J${texts.map((text) => clip(text, stream.columns ?? 120)).join('\n')}\n`);
      drawn = texts.length;
      last = block;
    },
    end() {
      drawn = 0;
    },
  };
}

/** Cuts a line to the terminal (and then without colours): a wrapped line would break the redrawing. */
function clip(text: string, columns: number): string {
  const bare = stripVTControlCharacters(text);
  return bare.length < columns ? text : `${bare.slice(0, Math.max(0, columns - 2))}…`;
}

function lineByLine(stream: ProgressStream, now: () => number): Progress {
  const shown = new Map<string, string>();
  let spoken = now();
  return {
    show(lines) {
      const news = lines.filter(({ key, text }) => shown.get(key) !== text);
      for (const { key, text } of news) shown.set(key, text);
      if (news.length > 0) stream.write(`${news.map(({ text }) => text).join('\n')}\n`);
      else if (now() - spoken > heartbeat) {
        const one = lines.find(({ isWaiting }) => isWaiting) ?? lines.at(-1);
        stream.write(`still waiting: ${one?.text ?? 'no answer yet'}\n`);
      } else return;
      spoken = now();
    },
    end() {},
  };
}
