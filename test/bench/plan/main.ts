/**
 * `npm run bench:plan [-- --nodes 10000 --instances 200000 --cpu]`: what deciding costs in a small, a middling and a large cluster,
 * single-threaded and without any I/O. Beside the decisions stands a look at all nodes for each, as it would be without an index.
 * `--cpu` counts CPU time of the process instead of time, for busy machines. One markdown table on stdout, narration on stderr.
 */
import { parseArgs } from 'node:util';
import { type Figures, measure } from './measure.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10000' },
    instances: { type: 'string', default: '200000' },
    cpu: { type: 'boolean', default: false },
  },
});
const most = Number(values.nodes);
const perNode = Math.max(1, Math.floor(Number(values.instances) / most));

const figure = (n: number, digits = 0): string => n.toLocaleString('en', { maximumFractionDigits: digits });
const say = (text: string): void => void process.stderr.write(`${text}\n`);

// What the compiler learns with the first cluster is not what the others cost.
measure(100, 100 * perNode, values.cpu);
const sizes = [...new Set([100, 1_000, most])];
const all = sizes.map((nodes): Figures => {
  say(`${figure(nodes)} nodes, ${figure(nodes * perNode)} instances ...`);
  return measure(nodes, nodes * perNode, values.cpu);
});
const [first, last] = [all[0], all.at(-1)];
const ratio = (of: (one: Figures) => number): string => (first && last ? figure(of(last) / of(first), 1) : '');

type Row = readonly [what: string, cell: (one: Figures) => string, growth: string, aim: string];
const rows: readonly Row[] = [
  ['instances', (one) => figure(one.instances), '', ''],
  ['placements decided/s, filters on', (one) => figure(one.decided), '', '100,000 at 1,000; 50,000 at 10,000'],
  ['the same by a look at all nodes', (one) => figure(one.scanned), '', ''],
  ['planned and promised/s, from empty', (one) => figure(one.promised), '', ''],
  ['full plan of the settled world', (one) => `${figure(one.settled)} ms`, '', ''],
  ['one service changed', (one) => `${figure(one.changed, 2)} ms`, ratio((one) => one.changed), '1 ms; growth below 2'],
  ['one node lost', (one) => `${figure(one.lost, 2)} ms`, ratio((one) => one.lost), '20 ms; growth below 2'],
  ['an instance that fits nowhere', (one) => `${figure(one.refused, 2)} ms`, ratio((one) => one.refused), ''],
  ['memory of the world', (one) => `${figure(one.memory / 2 ** 20)} MiB`, '', ''],
];
const peak = process.resourceUsage().maxRSS / 1024;

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const head = ['what', ...sizes.map((nodes) => `${figure(nodes)} nodes`), 'growth', 'aim'];
process.stdout.write(
  [
    line(head),
    line(head.map(() => '---')),
    ...rows.map(([what, cell, growth, aim]) => line([what, ...all.map(cell), growth, aim])),
    line([
      'peak memory of the process',
      ...sizes.map((_, n) => (n === sizes.length - 1 ? `${figure(peak)} MiB` : '')),
      '',
      '',
    ]),
  ].join(''),
);
