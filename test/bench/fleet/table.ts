/** The figures of fleets side by side: one markdown table, and the same as JSON. */
import { type Cost, type FleetResult, together } from './run.ts';

type Row = readonly [what: string, figure: (result: FleetResult) => string, aim: string];

const rows: readonly Row[] = [
  ['fleet up (all online), s', ({ up }) => up.toFixed(1), ''],
  ['control to report, p50 / p99 ms', ({ controls }) => quantiles(controls), 'p99 < 1000'],
  ['controls without an answer', ({ unanswered, controls }) => `${unanswered} of ${controls.length}`, '0'],
  ['heartbeat to API, p50 / p99 ms', ({ beats }) => quantiles(beats), 'p99 < 1000'],
  ['reconciler', ({ reconciler }) => cost(reconciler), ''],
  ['broker', ({ brokerCost }) => cost(brokerCost), ''],
  ['both', (result) => cost(together(result.reconciler, result.brokerCost)), '400 MiB, 50 %'],
  ['herd', ({ herd }) => String(herd), '5000'],
  ['herd connected, s', ({ herdConnected }) => herdConnected.toFixed(1), ''],
  ['herd back (all online), s', ({ herdBack }) => herdBack.toFixed(1), '60'],
  ['reconciler in the herd', ({ reconcilerInHerd }) => cost(reconcilerInHerd), ''],
  ['broker in the herd', ({ brokerInHerd }) => cost(brokerInHerd), ''],
  ['nodes lost', ({ lost }) => String(lost), '0'],
  ['messages refused by agents', ({ refused }) => String(refused), '0'],
  ['simulated agents', ({ simulator }) => cost(simulator), ''],
];

export function fleetTable(results: readonly FleetResult[]): string {
  const lines = [
    ['what', ...results.map(({ agents, broker, minutes }) => `${agents} on ${broker}, ${minutes} min`), 'aim'],
    ['---', ...results.map(() => '---'), '---'],
    ...rows.map(([what, figure, aim]) => [what, ...results.map(figure), aim]),
  ];
  return `${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}

/** One object per fleet; the samples are left out. */
export function fleetJson(results: readonly FleetResult[]): string {
  const short = results.map(({ controls, beats, ...rest }) => ({
    ...rest,
    controls: summary(controls),
    beats: summary(beats),
  }));
  return `${JSON.stringify(short)}\n`;
}

function summary(values: readonly number[]): object {
  return { count: values.length, p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: values.at(-1) ?? null };
}

function quantiles(values: readonly number[]): string {
  return `${quantile(values, 0.5).toFixed(0)} / ${quantile(values, 0.99).toFixed(0)}`;
}

/** Of sorted values. */
function quantile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

function cost({ cpu, memory }: Cost): string {
  return `${memory.toFixed(0)} MiB, ${cpu.toFixed(1)} % of a core`;
}
