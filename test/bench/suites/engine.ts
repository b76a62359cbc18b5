/** Spine beside raw BullMQ, a naive baseline and, when asked for, other systems: the same jobs, in turns. */
import { naive } from '../contestants/naive.ts';
import { loadPeers } from '../contestants/peers.ts';
import { rawBullmq } from '../contestants/raw-bullmq.ts';
import { spine } from '../contestants/spine.ts';
import { openLab } from '../lab.ts';
import { PHASE_TITLES, PHASES } from '../model.ts';
import type { Figure, Phase, Section, Table } from '../model.ts';
import { bestAt, measureInTurns, medians, ratios } from '../paired.ts';
import type { Entry, Measured } from '../paired.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** The naive baseline needs ten times as long for a job. */
const NAIVE_SHARE = 10;

const TARGETS: Readonly<Record<string, Partial<Record<Phase, number>>>> = {
  [rawBullmq.name]: { drain: 1.7, endToEnd: 1.8 },
  [naive.name]: { drain: 8, endToEnd: 8 },
  'graphile-worker': { drain: 0.9, endToEnd: 0.8 },
};

export function labelOf({ contestant, load }: Entry): string {
  return `${contestant.name}, ${load.slots} slots`;
}

/** A line of progress for a measured round. */
export function roundLine(repetition: number, entry: Entry, phases: Readonly<Record<Phase, number>>): string {
  const rest = PHASES.map((phase) => `${phase} ${number(phases[phase]).padStart(6)}/s`).join('  ');
  return `  ${repetition}  ${labelOf(entry).padEnd(28)} ${rest}`;
}

export function rateTable(measured: readonly Measured[]): Table {
  return {
    columns: ['', ...PHASES.map((phase) => PHASE_TITLES[phase])],
    rows: measured.map((each) => {
      const values = medians(each);
      return [labelOf(each), ...PHASES.map((phase) => `${number(values[phase])}/s`)];
    }),
  };
}

/** One row a phase: `one` against the best of `others` at that phase, repetition by repetition. */
export function ratioTable(one: Measured, others: readonly Measured[]): Table {
  return {
    columns: ['', 'against', 'median ratio', 'range'],
    rows: PHASES.map((phase) => {
      const other = bestAt(others, phase);
      const all = ratios(one, other, phase);
      const [low, high] = range(all);
      return [
        PHASE_TITLES[phase],
        labelOf(other),
        `${number(median(all))}x`,
        `${number(low)} - ${number(high)}`,
      ];
    }),
  };
}

function figuresAgainst(one: Measured, others: readonly Measured[]): Figure[] {
  return PHASES.flatMap((phase) => {
    const other = bestAt(others, phase);
    const wanted = TARGETS[other.contestant.name]?.[phase];
    if (wanted === undefined) return [];
    const value = median(ratios(one, other, phase));
    const name = `${PHASE_TITLES[phase]} against ${other.contestant.name}`;
    return [{ name, value, unit: 'x', target: { at: 'least' as const, value: wanted } }];
  });
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const { jobs, repetitions, slots } = options;
  const peers = options.peers ? await loadPeers(say) : [];
  const middle = slots[slots.length >> 1] ?? 200;
  const entries: Entry[] = [
    ...slots.flatMap((count) => [
      { contestant: rawBullmq, load: { jobs, slots: count } },
      { contestant: spine, load: { jobs, slots: count } },
    ]),
    { contestant: naive, load: { jobs: Math.ceil(jobs / NAIVE_SHARE), slots: middle } },
    ...peers.map((contestant) => ({ contestant, load: { jobs, slots: middle } })),
  ];
  const lab = await openLab();
  try {
    const measured = await measureInTurns(entries, {
      repetitions,
      environment: lab.environment,
      onRound: (repetition, entry, phases) => say(roundLine(repetition, entry, phases)),
    });
    const of = (name: string): Measured[] => measured.filter((each) => each.contestant.name === name);
    const ours = bestAt(of(spine.name), 'endToEnd');
    const groups = [rawBullmq, naive, ...peers].map(({ name }) => of(name));
    return {
      suite: 'engine',
      title: 'Engine: submit, drain, end to end',
      tables: [rateTable(measured), ...groups.map((group) => ratioTable(ours, group))],
      figures: groups.flatMap((group) => figuresAgainst(ours, group)),
      notes: [
        `${number(jobs)} jobs that do nothing (naive: ${number(Math.ceil(jobs / NAIVE_SHARE))}), ${repetitions} repetitions ` +
          `in turns, medians. Spine at ${ours.load.slots} slots, its best end to end, against the best of the other side ` +
          'at each phase; the ratio is taken in every repetition. Every run of Spine was counted: completed, three events, one ' +
          'of them terminal.',
        ...(peers.length === 0 ? ['Other systems were left out (`--peers` measures them).'] : []),
      ],
    };
  } finally {
    await lab.close();
  }
}

export const engineSuite: Suite = {
  name: 'engine',
  about: 'jobs a second beside raw BullMQ, a naive baseline and, with --peers, graphile-worker',
  run,
};
