/** A map over many items, a hundred at a time, beside as many plain runs. */
import { workflowSpec } from '@spine/execution';
import type { WorkflowInput } from '@spine/orchestration';
import { Countdown, rateSince } from '../countdown.ts';
import { openLab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import { untilAllSettled } from '../verify.ts';
import { openWorkflowBench, plainSpec, resetRuns } from '../workflows/bed.ts';
import type { WorkflowBench } from '../workflows/bed.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** Items are a half of the jobs: 10,000 by default. */
const SHARE = 2;
const AT_ONCE = 100;
const WARM_UP = 500;

const MAP: WorkflowInput = {
  name: 'bench.map',
  steps: [
    { kind: 'lambda', name: 'list', handler: 'list', params: { count: '{{ params.count }}' } },
    {
      kind: 'map',
      name: 'each',
      items: '{{ steps.list.output.items }}',
      maxConcurrency: AT_ONCE,
      iterator: [{ kind: 'lambda', name: 'one', handler: 'work', params: { n: '{{ item }}' } }],
    },
  ],
  outputs: { count: '{{ steps.each.output.count }}', succeeded: '{{ steps.each.output.succeeded }}' },
};

const SIDES = ['map', 'plain'] as const;
type Side = (typeof SIDES)[number];

async function run({ options, say }: SuiteContext): Promise<Section> {
  const items = Math.max(1, Math.ceil(options.jobs / SHARE));
  const slots = options.slots[options.slots.length >> 1] ?? 200;
  const calls = new Countdown();
  const lab = await openLab();
  let bench: WorkflowBench | null = null;
  try {
    bench = await openWorkflowBench(lab, 'map', {
      onCall: () => calls.tick(),
      workflows: [MAP],
      functions: {
        list: ({ count }) => ({ items: Array.from({ length: Number(count) }, (_, index) => index) }),
      },
    });
    const { engine } = bench;
    const worker = await bench.startWorker(slots);
    const measure = async (side: Side, count: number): Promise<number> => {
      await resetRuns(lab);
      const specs =
        side === 'map' ? [workflowSpec(MAP.name, { count })] : Array.from({ length: count }, plainSpec);
      calls.start(count);
      const from = performance.now();
      await engine.dispatcher.submitAll(specs);
      await calls.reached;
      await untilAllSettled(engine.pool);
      const rate = rateSince(from, count);
      const { rows } = await lab.admin.query<{ completed: number; result: unknown }>(
        `SELECT (SELECT count(*) FROM runs WHERE status = 'completed') AS completed,
           (SELECT result FROM runs WHERE kind = 'workflow') AS result`,
      );
      // The map's own run and that of the list beside its items.
      const wanted =
        side === 'map'
          ? { completed: count + 2, result: { count, succeeded: count } }
          : { completed: count, result: null };
      if (JSON.stringify(rows[0]) !== JSON.stringify(wanted)) {
        throw new VoidMeasurementError(
          `wanted ${JSON.stringify(wanted)}, counted ${JSON.stringify(rows[0])}`,
        );
      }
      return rate;
    };
    for (const side of SIDES) await measure(side, Math.min(items, WARM_UP));
    const rates: Record<Side, number[]> = { map: [], plain: [] };
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      for (const side of repetition % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const rate = await measure(side, items);
        rates[side].push(rate);
        say(`  ${repetition + 1}  ${side.padEnd(6)} ${number(rate)}/s`);
      }
    }
    await worker.stop();
    const ratios = rates.map.map((rate, index) => rate / (rates.plain[index] ?? Number.NaN));
    return {
      suite: 'workflow-map',
      title: `A map of ${number(items)} items, ${AT_ONCE} at a time, beside as many plain runs`,
      tables: [
        {
          columns: ['', 'items, median', 'range'],
          rows: SIDES.map((side) => [
            side === 'map' ? `map, ${AT_ONCE} at a time` : 'plain runs, submitted together',
            `${number(median(rates[side]))}/s`,
            range(rates[side]).map(number).join(' - '),
          ]),
        },
      ],
      figures: [
        {
          name: `map against plain runs (${range(ratios).map(number).join(' - ')})`,
          value: median(ratios),
          unit: 'x',
        },
      ],
      notes: [
        `${slots} slots, ${options.repetitions} repetitions in turns. Each item is a durable run; a hundred of them are under way ` +
          'at a time, and the plain runs are all there at once. After each phase every run was counted.',
      ],
    };
  } finally {
    await bench?.close();
    await lab.close();
  }
}

export const workflowMapSuite: Suite = {
  name: 'workflow-map',
  about: `items a second of a map, ${AT_ONCE} at a time, beside plain runs`,
  run,
};
