/** A durable workflow of three steps beside what one would write without: three runs, each of which submits the next. */
import { workflowSpec } from '@spine/execution';
import { Countdown, rateSince } from '../countdown.ts';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Figure, Section } from '../model.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import { untilAllSettled } from '../verify.ts';
import { chainSpec, LINKS, openWorkflowBench, resetRuns, THREE_STEPS } from '../workflows/bed.ts';
import type { WorkflowBench } from '../workflows/bed.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** A chain is three jobs. */
const SHARE = 10;
const TARGET = 0.8;
const WARM_UP = 200;

const SIDES = {
  workflow: { title: 'durable workflow of 3 steps', spec: () => workflowSpec(THREE_STEPS.name, { n: 0 }) },
  publish: { title: '3 runs, each commits its end with the next one', spec: () => chainSpec('publish') },
  submit: { title: '3 runs, each submits the next one before it ends', spec: () => chainSpec('submit') },
} as const;
type Side = keyof typeof SIDES;

/** Every run of a side is completed, its workflows have ended, and nothing is left to be told. */
async function assertDone({ admin }: Lab, side: Side, chains: number): Promise<void> {
  const { rows } = await admin.query<Record<'runs' | 'terminal' | 'ended' | 'inbox' | 'answers', number>>(
    `SELECT (SELECT count(*) FROM runs WHERE status = 'completed') AS runs,
       (SELECT count(*) FROM run_events WHERE terminal) AS terminal,
       (SELECT count(*) FROM workflow_runs WHERE status = 'ended') AS ended,
       (SELECT count(*) FROM workflow_inbox) AS inbox,
       (SELECT count(*) FROM runs WHERE kind = 'workflow' AND result = '{"n": ${LINKS}}') AS answers`,
  );
  const workflows = side === 'workflow' ? chains : 0;
  const runs = chains * LINKS + workflows;
  const wanted = { runs, terminal: runs, ended: workflows, inbox: 0, answers: workflows };
  if (JSON.stringify(rows[0]) !== JSON.stringify(wanted)) {
    throw new VoidMeasurementError(`wanted ${JSON.stringify(wanted)}, counted ${JSON.stringify(rows[0])}`);
  }
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const chains = Math.max(1, Math.ceil(options.jobs / SHARE));
  const slots = options.slots[options.slots.length >> 1] ?? 200;
  const calls = new Countdown();
  const lab = await openLab();
  let bench: WorkflowBench | null = null;
  try {
    bench = await openWorkflowBench(lab, 'workflow', {
      onCall: () => calls.tick(),
      workflows: [THREE_STEPS],
    });
    const { engine } = bench;
    const worker = await bench.startWorker(slots);
    const measure = async (side: Side, count: number): Promise<number> => {
      await resetRuns(lab);
      const specs = Array.from({ length: count }, SIDES[side].spec);
      calls.start(count * LINKS);
      const from = performance.now();
      await engine.dispatcher.submitAll(specs);
      await calls.reached;
      await untilAllSettled(engine.pool);
      const rate = rateSince(from, count);
      await assertDone(lab, side, count);
      return rate;
    };
    const sides = Object.keys(SIDES) as readonly Side[];
    // Connections, plans and compiled code are there before anything counts.
    for (const side of sides) await measure(side, Math.min(chains, WARM_UP));
    const rates: Record<Side, number[]> = { workflow: [], publish: [], submit: [] };
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      for (let turn = 0; turn < sides.length; turn += 1) {
        const side = sides[(turn + repetition) % sides.length];
        if (side === undefined) continue;
        const rate = await measure(side, chains);
        rates[side].push(rate);
        say(`  ${repetition + 1}  ${side.padEnd(10)} ${number(rate)}/s`);
      }
    }
    await worker.stop();
    const against = (side: Side) =>
      rates.workflow.map((rate, index) => rate / (rates[side][index] ?? Number.NaN));
    const figure = (side: Side, name: string): Figure => ({
      name: `${name} (${range(against(side)).map(number).join(' - ')})`,
      value: median(against(side)),
      unit: 'x',
      target: { at: 'least', value: TARGET },
    });
    return {
      suite: 'workflow',
      title: 'Workflows of three steps beside chains of three runs',
      tables: [
        {
          columns: ['', 'completions, median', 'range'],
          rows: sides.map((side) => [
            SIDES[side].title,
            `${number(median(rates[side]))}/s`,
            range(rates[side]).map(number).join(' - '),
          ]),
        },
      ],
      figures: [
        figure('publish', 'against runs whose end and successor are one commit'),
        figure('submit', 'against runs that submit their successor before they end'),
      ],
      notes: [
        `${number(chains)} of each at once, ${slots} slots, ${options.repetitions} repetitions in turns; a ratio is taken in every ` +
          'repetition. What submits before it ends does so under an idempotency key and its fence. After each phase the rows ' +
          'were counted: every run completed, one terminal event each, every workflow ended with its result.',
      ],
    };
  } finally {
    await bench?.close();
    await lab.close();
  }
}

export const workflowSuite: Suite = {
  name: 'workflow',
  about: 'workflows of three steps beside chains of three runs that submit each other',
  run,
};
