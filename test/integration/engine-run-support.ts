/** Engines with workers over a real Postgres, and handlers whose behaviour each test writes itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createPool } from '@spine/database';
import type { Pool, Queryable, RunRecord } from '@spine/database';
import {
  createEngine,
  createReaper,
  createRelay,
  HandlerRegistry,
  MemoryHintQueue,
  registerBuiltinHandlers,
  taskSpec,
  Worker,
} from '@spine/execution';
import type {
  Engine,
  EngineOptions,
  HandlerContext,
  HintQueue,
  WorkerOptions,
  WorkSpec,
} from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase, testRedisUrl, waitFor } from '@spine/testing';

export type Behaviour = (ctx: HandlerContext) => unknown;

export interface Bed {
  readonly engine: Engine;
  /** As the owner of the tables. */
  readonly admin: Pool;
  readonly databaseUrl: string;
  /** A lane nobody else uses. */
  newLane(): string;
  /** The spec of a run that behaves like this. */
  probe(lane: string, behaviour: Behaviour, more?: Partial<WorkSpec>): WorkSpec;
  startWorker(lane: string, options?: Partial<WorkerOptions>): Promise<Worker>;
  /** Submits, and answers with the run's id. */
  submit(spec: WorkSpec): Promise<string>;
  /** The run once it has this status. */
  reach(runId: string, status: RunRecord['status']): Promise<RunRecord>;
  events(runId: string): Promise<string[]>;
  /** The value of a counter, over all its labels or those given. */
  count(
    counter: 'fenced' | 'settled' | 'claimed' | 'reaped',
    labels?: Readonly<Record<string, string>>,
  ): Promise<number>;
  close(): Promise<void>;
}

export interface BedOptions {
  readonly queue: 'memory' | 'redis' | 'postgres' | HintQueue;
  /** Default: relay and reaper run, quickly. */
  readonly maintained?: boolean;
  /** Handlers beside the built-in ones and the probe. */
  readonly register?: (registry: HandlerRegistry) => void;
  /** Options of the engine itself. */
  readonly engine?: Partial<EngineOptions>;
}

export function deferred<T = void>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Ends when the attempt is interrupted, as a well-behaved handler does. */
export function untilAborted(ctx: HandlerContext): Promise<never> {
  return sleep(3_600_000, undefined, { signal: ctx.signal, ref: false }) as Promise<never>;
}

function queueOptions(queue: BedOptions['queue']): { queue?: HintQueue } {
  if (typeof queue === 'object') return { queue };
  return queue === 'memory' ? { queue: new MemoryHintQueue() } : {};
}

export async function openBed({
  queue,
  maintained = true,
  register,
  engine: engineOptions,
}: BedOptions): Promise<Bed> {
  const database = await createTestDatabase();
  const databaseUrl = database.connectionString;
  const admin = createPool({ connectionString: databaseUrl, role: null, max: 3 });
  const behaviours = new Map<string, Behaviour>();
  const registry = registerBuiltinHandlers(new HandlerRegistry()).registerTask(
    'probe',
    { description: 'Behaves as its test says.', params: z.strictObject({ id: z.string() }) },
    ({ id }, ctx) => behaviours.get(id)?.(ctx),
  );
  register?.(registry);
  const engine = await createEngine({
    databaseUrl,
    redisUrl: queue === 'redis' ? await testRedisUrl() : null,
    registry,
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'engine-test',
    ...queueOptions(queue),
    ...engineOptions,
  });
  const services = maintained
    ? [
        createRelay({ ...engine, lanes: [], relayMs: 50 }),
        createReaper({ ...engine, lanes: [], reaperMs: 50 }),
      ]
    : [];
  for (const service of services) service.start();
  const workers: Worker[] = [];
  let lanes = 0;
  return {
    engine,
    admin,
    databaseUrl,
    newLane: () => `lane-${(lanes += 1)}`,
    probe: (lane, behaviour, more = {}) => {
      const id = `behaviour-${behaviours.size}`;
      behaviours.set(id, behaviour);
      return taskSpec('probe', { id }, { lane, retryDelaySeconds: 0, ...more });
    },
    startWorker: async (lane, options = {}) => {
      // Quick to hear of a cancel; polls so rarely that only tests that ask for it see the poll.
      const worker = new Worker({
        ...engine,
        lanes: [lane],
        slots: 20,
        heartbeatMs: 50,
        pollMs: 3_600_000,
        // What comes through the queue is what most tests are about; worker-eager.spec.ts shows the other way.
        eagerStart: false,
        ...options,
      });
      workers.push(worker);
      await worker.start();
      await engine.capacity.refresh();
      return worker;
    },
    submit: async (spec) => {
      const outcome = await engine.dispatcher.submit(spec);
      if (outcome.type !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
      return outcome.runId;
    },
    reach: async (runId, status) => {
      let seen: RunRecord | null = null;
      await waitFor(
        async () => {
          seen = await engine.dispatcher.get(runId);
          return seen?.status === status;
        },
        // Longer than the relay leaves a run whose hint was lost.
        { timeoutMs: 25_000, message: () => `run ${runId} ${status}; last seen: ${JSON.stringify(seen)}` },
      );
      if (seen === null) throw new Error(`no run ${runId}`);
      return seen;
    },
    events: async (runId) => {
      const { rows } = await admin.query<{ event_type: string }>(
        'SELECT event_type FROM run_events WHERE run_id = $1 ORDER BY event_id',
        [runId],
      );
      return rows.map(({ event_type }) => event_type);
    },
    count: async (counter, labels = {}) => {
      const { values } = await engine.metrics[counter].get();
      const wanted = Object.entries(labels);
      return values
        .filter((value) =>
          wanted.every(([name, label]) => new Map(Object.entries(value.labels)).get(name) === label),
        )
        .reduce((sum, { value }) => sum + value, 0);
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)));
      await Promise.all(services.map((service) => service.stop()));
      await engine.close();
      await admin.end();
      await database.drop();
    },
  };
}

/** Waits until the engine's control connection listens: before that, word of a change is lost to it. */
export async function listening(bed: Bed): Promise<void> {
  await waitFor(async () => {
    const { rows } = await bed.admin.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'spine-engine-test-control' AND query LIKE 'LISTEN %' AND state = 'idle'`,
    );
    return rows.length > 0;
  });
}

/** The bed's database, noting which lanes it has said to be paused. */
export function hearing(bed: Bed) {
  const { pool } = bed.engine;
  const lanes = new Set<unknown>();
  return {
    pool: {
      query: async (config: Parameters<Queryable['query']>[0]) => {
        const answer = await pool.query(config);
        if (config.name === 'spine_paused_lanes') for (const { lane } of answer.rows) lanes.add(lane);
        return answer as never;
      },
    },
    /** Waits until a worker over it knows that the lane is paused. */
    ofPause: (lane: string) => waitFor(() => lanes.has(lane), { message: `word of the pause of ${lane}` }),
  };
}

/** Takes hints and carries none. */
export class LosingQueue extends MemoryHintQueue {
  override publish(): Promise<void> {
    return Promise.resolve();
  }
}
