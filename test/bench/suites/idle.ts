/** From the submit call to the handler's first line, one job at a time on an idle system; both sides in turns. */
import { setTimeout as sleep } from 'node:timers/promises';
import { taskSpec } from '@spine/execution';
import { openRawQueue } from '../contestants/raw-bullmq.ts';
import { openSpine } from '../contestants/spine.ts';
import { openLab } from '../lab.ts';
import type { Environment, Section } from '../model.ts';
import { number } from '../report.ts';
import { latencyOf, median } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

const SLOTS = 10;
const BLOCKS = 6;
/** The first of a block warm connections, prepared statements and the compiler. */
const WARM_UP = 20;
/** Between samples, so that the end of one is not part of the next. */
const PAUSE_MS = 3;

/** Milliseconds from `submit` to the call of `started`. */
async function sample(
  count: number,
  submit: () => Promise<unknown>,
  onStart: (listener: (at: number) => void) => void,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count + WARM_UP; index += 1) {
    const started = new Promise<number>((resolve) => onStart(resolve));
    const from = performance.now();
    const submitted = submit();
    const took = (await started) - from;
    await submitted;
    if (index >= WARM_UP) times.push(took);
    await sleep(PAUSE_MS);
  }
  return times;
}

async function sampleRaw(environment: Environment, count: number): Promise<number[]> {
  const raw = await openRawQueue(environment);
  let started: (at: number) => void = () => undefined;
  const worker = raw.worker(() => {
    started(performance.now());
    return Promise.resolve(undefined);
  }, SLOTS);
  try {
    await worker.waitUntilReady();
    void worker.run();
    return await sample(
      count,
      () => raw.add(1),
      (listener) => (started = listener),
    );
  } finally {
    await worker.close();
    await raw.close();
  }
}

async function sampleSpine(environment: Environment, count: number): Promise<number[]> {
  let started: (at: number) => void = () => undefined;
  const bench = await openSpine(environment, () => started(performance.now()));
  try {
    const worker = await bench.startWorker(SLOTS);
    const times = await sample(
      count,
      () => bench.engine.dispatcher.submit(taskSpec('noop')),
      (listener) => (started = listener),
    );
    await worker.stop();
    return times;
  } finally {
    await bench.close();
  }
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  const raw: number[][] = [];
  const spine: number[][] = [];
  const count = Math.ceil(options.samples / BLOCKS);
  try {
    for (let block = 0; block < BLOCKS; block += 1) {
      raw.push(await sampleRaw(lab.environment(`idleraw${block}`), count));
      spine.push(await sampleSpine(lab.environment(`idlespine${block}`), count));
      const [one, other] = [raw, spine].map((blocks) => median(blocks[block] ?? []));
      say(
        `  ${block + 1}  raw p50 ${number(one ?? Number.NaN)} ms  Spine p50 ${number(other ?? Number.NaN)} ms`,
      );
    }
  } finally {
    await lab.close();
  }
  const rawLatency = latencyOf(raw.flat());
  const spineLatency = latencyOf(spine.flat());
  const ratio = median(spine.map((block, index) => median(block) / median(raw[index] ?? [])));
  const row = (name: 'p50' | 'p99'): string[] => [
    `idle, submit to handler start, ${name}`,
    `${number(rawLatency[name])} ms`,
    `${number(spineLatency[name])} ms`,
    number(spineLatency[name] / rawLatency[name]),
  ];
  return {
    suite: 'idle',
    title: 'Idle latency',
    tables: [{ columns: ['', 'raw BullMQ', 'Spine', 'ratio'], rows: [row('p50'), row('p99')] }],
    figures: [
      {
        name: 'idle start p50 against raw BullMQ',
        value: ratio,
        unit: 'x',
        target: { at: 'most', value: 2 },
      },
    ],
    notes: [
      `${count * BLOCKS} samples a side in ${BLOCKS} alternating blocks; the ratio is the median of the blocks'.`,
    ],
  };
}

export const idleSuite: Suite = {
  name: 'idle',
  about: 'latency from the submit call to the handler on an idle system, beside raw BullMQ',
  run,
};
