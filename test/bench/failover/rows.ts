/** What stands in the table: which figure beside which other one, and what it should be. */
import { median } from '../table.ts';

/** ms by the name of what was measured. */
export type Samples = Readonly<Record<string, readonly number[]>>;

interface Row {
  readonly what: string;
  readonly ours: string;
  readonly beside?: { readonly who: string; readonly figures: string };
  /** At most so many ms, and at most this share of what stands beside it; `orRatio`: that share, where nobody could do it in so many ms. */
  readonly aim?: { readonly ms?: number; readonly ratio?: number; readonly orRatio?: number };
}

const swarm = (figures: string) => ({ who: 'Swarm', figures });
const tuned = (figures: string) => ({ who: 'Swarm, tuned', figures });
const bare = (figures: string) => ({ who: 'bare API', figures });

/** In the order of the table. */
const rows: readonly Row[] = [
  {
    what: 'host killed, class lan: 10 run again',
    ours: 'lan-kill',
    beside: swarm('default-kill'),
    aim: { ratio: 1 },
  },
  {
    what: 'link cut, class lan: 10 run again',
    ours: 'lan-cut',
    beside: swarm('default-cut'),
    aim: { ratio: 1 },
  },
  {
    what: 'host killed, class fast: 10 run again',
    ours: 'fast-kill',
    beside: tuned('tuned-kill'),
    aim: { ms: 3_000, ratio: 0.9 },
  },
  {
    what: 'link cut, class fast: 10 run again',
    ours: 'fast-cut',
    beside: tuned('tuned-cut'),
    aim: { ms: 3_000, ratio: 0.9 },
  },
  {
    what: 'first report after it to duplicates gone, lan',
    ours: 'lan-heal',
    beside: swarm('default-heal'),
    aim: { ms: 1_000 },
  },
  {
    what: 'first report after it to duplicates gone, fast',
    ours: 'fast-heal',
    beside: tuned('tuned-heal'),
    aim: { ms: 1_000 },
  },
  { what: 'link back to duplicates gone, lan', ours: 'lan-back', beside: swarm('default-back') },
  { what: 'link back to duplicates gone, fast', ours: 'fast-back', beside: tuned('tuned-back') },
  {
    what: 'crash to running again',
    ours: 'crash',
    beside: bare('bare-crash'),
    aim: { ms: 200, orRatio: 1.1 },
  },
  {
    what: 'rolling update of 10',
    ours: 'rolling',
    beside: bare('bare-rolling'),
    aim: { ratio: 1.2 },
  },
  { what: 'removal of 1', ours: 'remove-1', beside: bare('bare-remove-1'), aim: { ratio: 1.1 } },
  { what: 'removal of 50', ours: 'remove-50', beside: bare('bare-remove-50'), aim: { ratio: 1.1 } },
  {
    what: 'start, registry unreachable, image there',
    ours: 'offline',
    beside: swarm('swarm-offline'),
    aim: { ms: 250 },
  },
];

/** The rows that there are figures for, as a markdown table. */
export function failoverTable(samples: Samples): string {
  const head = ['what', 'oakctl', 'comparison', 'ratio', 'aim', 'met'];
  const lines = rows.filter(({ ours }) => samples[ours]?.length).map((row) => cellsOf(row, samples));
  return `${[head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function cellsOf({ what, ours, beside, aim }: Row, samples: Samples): string[] {
  const figures = samples[ours] ?? [];
  const others = (beside && samples[beside.figures]) ?? [];
  const ratio = others.length > 0 ? median(figures) / median(others) : undefined;
  const comparison = beside && others.length > 0 ? `${beside.who} ${spread(others)}` : '';
  return [what, spread(figures), comparison, ratio?.toFixed(2) ?? '', aimText(aim), met(aim, median(figures), ratio)];
}

function aimText({ ms, ratio, orRatio }: NonNullable<Row['aim']> = {}): string {
  const parts = [ms === undefined ? '' : duration(ms), ratio === undefined ? '' : `ratio ${ratio}`];
  return `${parts.filter(Boolean).join(', ')}${orRatio === undefined ? '' : `, or ratio ${orRatio} where that takes longer`}`;
}

function met(aim: Row['aim'], ms: number, ratio: number | undefined): string {
  if (!aim) return '';
  if (aim.ms !== undefined && ms > aim.ms) {
    const isOutOfReach = aim.orRatio !== undefined && ratio !== undefined && ms / ratio > aim.ms;
    return isOutOfReach && ratio <= (aim.orRatio ?? 0) ? 'yes, by ratio' : 'no';
  }
  if (aim.ratio === undefined) return 'yes';
  if (ratio === undefined) return '?';
  return ratio <= aim.ratio ? 'yes' : 'no';
}

function spread(values: readonly number[]): string {
  const range = values.length > 1 ? ` [${duration(Math.min(...values))}-${duration(Math.max(...values))}]` : '';
  return `${duration(median(values))}${range}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
