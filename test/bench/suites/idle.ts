/**
 * From the submit call to the handler's first line, one job at a time on an idle system: raw BullMQ, Spine with the worker in
 * the process that submits, and Spine through the queue, in turns.
 */
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

async function sampleSpine(
  environment: Environment,
  count: number,
  start: 'queued' | 'eager',
): Promise<number[]> {
  let started: (at: number) => void = () => undefined;
  const bench = await openSpine(environment, () => started(performance.now()));
  try {
    const worker = await bench.startWorker(SLOTS, start);
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

/** The median of the blocks' ratios. */
function ratioOf(blocks: readonly number[][], raw: readonly number[][]): number {
  return median(blocks.map((block, index) => median(block) / median(raw[index] ?? [])));
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  const [raw, eager, queued]: [number[][], number[][], number[][]] = [[], [], []];
  const count = Math.ceil(options.samples / BLOCKS);
  try {
    for (let block = 0; block < BLOCKS; block += 1) {
      raw.push(await sampleRaw(lab.environment(`idleraw${block}`), count));
      eager.push(await sampleSpine(lab.environment(`idleeager${block}`), count, 'eager'));
      queued.push(await sampleSpine(lab.environment(`idlequeued${block}`), count, 'queued'));
      const p50 = (blocks: readonly number[][]): string => number(median(blocks[block] ?? []));
      say(
        `  ${block + 1}  p50: raw ${p50(raw)} ms  Spine eager ${p50(eager)} ms  Spine queued ${p50(queued)} ms`,
      );
    }
  } finally {
    await lab.close();
  }
  const [rawLatency, eagerLatency, queuedLatency] = [
    latencyOf(raw.flat()),
    latencyOf(eager.flat()),
    latencyOf(queued.flat()),
  ];
  const row = (name: 'p50' | 'p99'): string[] => [
    `idle, submit to handler start, ${name}`,
    `${number(rawLatency[name])} ms`,
    `${number(eagerLatency[name])} ms`,
    number(eagerLatency[name] / rawLatency[name]),
    `${number(queuedLatency[name])} ms`,
    number(queuedLatency[name] / rawLatency[name]),
  ];
  return {
    suite: 'idle',
    title: 'Idle latency',
    tables: [
      {
        columns: ['', 'raw BullMQ', 'Spine, same process', 'ratio', 'Spine, through the queue', 'ratio'],
        rows: [row('p50'), row('p99')],
      },
    ],
    figures: [
      {
        name: 'idle start p50 against raw BullMQ, worker in the submitting process',
        value: ratioOf(eager, raw),
        unit: 'x',
        target: { at: 'most', value: 2 },
      },
      {
        name: 'idle start p50 against raw BullMQ, through the queue',
        value: ratioOf(queued, raw),
        unit: 'x',
      },
    ],
    notes: [
      `${count * BLOCKS} samples a side in ${BLOCKS} alternating blocks; a ratio is the median of the blocks'.`,
      'The target is held against a worker in the process that submits, which stores its run as claimed and starts it without ' +
        'the queue. Who submits over the API, whose workers are other processes, sees the times through the queue.',
    ],
  };
}

export const idleSuite: Suite = {
  name: 'idle',
  about:
    'latency from the submit call to the handler on an idle system, eager and through the queue, beside raw BullMQ',
  run,
};
