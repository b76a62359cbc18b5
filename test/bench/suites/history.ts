/** Cost must not grow with history: the paired run on an empty database and on one full of finished runs, in turns. */
import { rawBullmq } from '../contestants/raw-bullmq.ts';
import { spine } from '../contestants/spine.ts';
import { createPool } from '@spine/database';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { PHASE_TITLES, PHASES } from '../model.ts';
import type { Contestant, Environment, Section } from '../model.ts';
import { measureInTurns, ratios } from '../paired.ts';
import { writePast } from '../past.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import { rateTable, ratioTable, roundLine } from './engine.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** A quarter of the speed may be lost to noise, not to history. */
const LEAST_SHARE = 0.75;

/** Spine on the database that has a past: nothing is emptied, what is measured joins the past. */
async function withPast(lab: Lab, runs: number, say: (line: string) => void): Promise<Contestant> {
  const databaseUrl = await lab.createDatabase('past');
  const pool = createPool({ connectionString: databaseUrl, role: null, max: 1 });
  try {
    await writePast(pool, runs, (written) => {
      if (written % 500_000 === 0) say(`  ${number(written)} finished runs written`);
    });
  } finally {
    await pool.end();
  }
  const refresh = async (): Promise<void> => {
    const admin = createPool({ connectionString: databaseUrl, role: null, max: 1 });
    await admin.query('CHECKPOINT');
    await admin.end();
  };
  return {
    name: 'Spine with a past',
    measure: (environment: Environment, load) =>
      spine.measure({ ...environment, databaseUrl, reset: refresh }, load),
  };
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const { jobs, repetitions, history } = options;
  const slots = options.slots[options.slots.length >> 1] ?? 500;
  const lab = await openLab();
  try {
    const load = { jobs, slots };
    const entries = [rawBullmq, spine, await withPast(lab, history, say)].map((contestant) => ({
      contestant,
      load,
    }));
    const measured = await measureInTurns(entries, {
      repetitions,
      environment: lab.environment,
      onRound: (repetition, entry, phases) => say(roundLine(repetition, entry, phases)),
    });
    const [raw, empty, full] = measured;
    if (raw === undefined || empty === undefined || full === undefined)
      throw new RangeError('three were measured');
    return {
      suite: 'history',
      title: `With ${number(history)} finished runs in the table`,
      tables: [
        rateTable(measured),
        ratioTable(full, [raw]),
        {
          columns: ['full against empty', 'median ratio', 'range'],
          rows: PHASES.map((phase) => {
            const all = ratios(full, empty, phase);
            const [low, high] = range(all);
            return [PHASE_TITLES[phase], `${number(median(all))}x`, `${number(low)} - ${number(high)}`];
          }),
        },
      ],
      figures: (['drain', 'endToEnd'] as const).map((phase) => ({
        name: `${PHASE_TITLES[phase]} with a past against without`,
        value: median(ratios(full, empty, phase)),
        unit: 'x',
        target: { at: 'least' as const, value: LEAST_SHARE },
      })),
      notes: [
        `${number(jobs)} jobs, ${slots} slots, ${repetitions} repetitions in turns. The past was written before, with three ` +
          'events a run, one run in a hundred failed; 30 days of it.',
      ],
    };
  } finally {
    await lab.close();
  }
}

export const historySuite: Suite = {
  name: 'history',
  about: 'the same ratios with a table full of finished runs (--history N)',
  run,
};
