/** Figures as one markdown table. */
import type { Usage } from './idle.ts';

/** One round of one size; ms. */
export interface Measured {
  readonly size: number;
  readonly bareStart: number;
  readonly bareRemove: number;
  readonly deploy: number;
  readonly remove: number;
  readonly push: number;
  readonly pushRemove: number;
}

interface Row {
  readonly what: string;
  readonly figure: string;
  readonly floor?: string;
  readonly ratio?: string;
  readonly aim?: string;
}

const secondsPerDay = 86_400;

/** The middle one; of an even number the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle - 0.5)] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

type Column = Exclude<keyof Measured, 'size'>;
const works: readonly (readonly [
  what: string,
  column: Column,
  floor: Column,
  aims: Readonly<Record<number, string>>,
])[] = [
  ['deploy to running', 'deploy', 'bareStart', { 1: '1.2', 50: '1.1' }],
  ['push to running', 'push', 'bareStart', { 1: '500 ms' }],
  ['delete to gone', 'remove', 'bareRemove', {}],
  ['push of fewer to gone', 'pushRemove', 'bareRemove', {}],
];

export function workRows(measured: readonly Measured[]): Row[] {
  const sizes = [...new Set(measured.map(({ size }) => size))];
  return works.flatMap(([what, column, floor, aims]) =>
    sizes.map((size) => {
      const rounds = measured.filter((round) => round.size === size);
      const [ours, bare] = [rounds.map((round) => round[column]), rounds.map((round) => round[floor])];
      return {
        what: `${what}, ${size}`,
        figure: spread(ours),
        floor: spread(bare),
        ratio: (median(ours) / median(bare)).toFixed(2),
        ...(aims[size] ? { aim: aims[size] } : {}),
      };
    }),
  );
}

function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(0)} ms [${low.toFixed(0)}-${high.toFixed(0)}]`;
}

/** Idle cost. What the broker reads is what nodes send: the reconciler publishes nothing while nothing changes. */
export function idleRows(usages: readonly Usage[], nodes: number): Row[] {
  const rows = usages.map(({ what, memory, cpu }) => ({
    what: `idle ${what}`,
    figure: `${memory.toFixed(0)} MiB, ${cpu.toFixed(2)} % of a core`,
  }));
  const broker = usages.find(({ what }) => what === 'broker');
  const agent = usages.find(({ what }) => what === 'agent');
  const perDay = (bytes: number | undefined): string =>
    `${(((bytes ?? Number.NaN) * secondsPerDay) / 1e6).toFixed(1)} MB`;
  return [
    ...rows,
    { what: 'MQTT from an idle node, per day', figure: perDay(broker && broker.read / nodes) },
    { what: 'disk writes of an idle agent, per day', figure: perDay(agent?.disk) },
    { what: 'disk writes of reconciler and broker, per day', figure: perDay(sum(usages, agent)) },
  ];
}

function sum(usages: readonly Usage[], without: Usage | undefined): number {
  return usages.filter((usage) => usage !== without).reduce((total, { disk }) => total + disk, 0);
}

export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, figure, floor, ratio, aim }) => [what, figure, floor ?? '', ratio ?? '', aim ?? '']);
  const lines = [['what', 'oakctl', 'bare Docker API', 'ratio', 'aim'], ['---', '---', '---', '---', '---'], ...cells];
  return `${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}
