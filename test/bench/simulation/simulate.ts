/**
 * A discrete-event model of Spine: submitters, one Postgres, one Redis, up to a thousand workers. It follows one rule of
 * the engine after the other (group commit, hints cut for the live workers, slots before claims, heartbeats, polls, the
 * relay) with measured costs, and answers what no single machine can: what happens as workers grow.
 *
 * Not in the model: lock waits, cache misses of a large database, checkpoints, a network that loses packets.
 */
import { percentile } from '../statistics.ts';
import { Database } from './database.ts';
import { EventQueue } from './event-queue.ts';
import { groupCommitModel } from './group-commit.ts';
import { Lane } from './lane.ts';
import type { RunModel } from './lane.ts';
import type { Scenario } from './parameters.ts';
import { OverdueRuns } from './overdue.ts';
import { ENGINE } from './parameters.ts';
import { PublisherModel } from './publisher.ts';
import { startRelay } from './relay.ts';
import { seededRandom } from './random.ts';
import { Station } from './station.ts';
import { WorkerModel } from './worker.ts';

export interface Simulated {
  /** Runs finished a second, after the warm-up. */
  readonly throughput: number;
  /** Milliseconds from the submit to the handler. */
  readonly startP50: number;
  readonly startP99: number;
  /** Of Postgres' cores, the share at work for runs; for leases, polls and the relay. */
  readonly postgresRuns: number;
  readonly postgresUpkeep: number;
  /** Statements a second for runs; for leases, polls and the relay. */
  readonly statements: number;
  readonly upkeepStatements: number;
  /** Share of Redis' one thread at work. */
  readonly redis: number;
  readonly runsPerExchange: number;
  readonly submitted: number;
  readonly finished: number;
  /** Submitted and not finished when the arrivals ended. */
  readonly backlog: number;
}

const UPKEEP = ['heartbeat', 'poll', 'control', 'relay'] as const;

export function simulate(scenario: Scenario): Simulated {
  const { costs, workers, submitters, seconds, warmUpSeconds } = scenario;
  const events = new EventQueue();
  const random = seededRandom(scenario.seed);
  const database = new Database(events, costs, scenario.postgresCores);
  const lane = new Lane(events, costs);
  const waits: number[] = [];
  let submitted = 0;
  let finished = 0;
  let finishedBefore = 0;
  const isWarm = (): boolean => events.now >= warmUpSeconds * 1000;

  const overdue = new OverdueRuns(events);
  const newPublisher = (): PublisherModel => new PublisherModel({ events, lane, overdue, scenario });

  const commits = Array.from({ length: submitters }, () => {
    const process = new Station(events, 1);
    const publisher = newPublisher();
    const inserts = groupCommitModel<RunModel>({
      inFlight: ENGINE.insertsInFlight,
      maxItems: ENGINE.maxItems,
      flush: (runs, done) =>
        database.execute('insert', [{ cost: costs.insert, items: runs.length }], () => {
          done();
          publisher.announce(runs);
        }),
    });
    return { process, inserts };
  });

  const arrive = (): void => {
    if (events.now >= seconds * 1000) return;
    const to = commits[submitted % submitters];
    submitted += 1;
    const run: RunModel = { arrivedAt: events.now, state: 'queued', hintsSent: 0 };
    to?.process.work(costs.submitRun, () => to.inserts.push(run));
    events.after((-Math.log(1 - random()) * 1000) / scenario.arrivals, arrive);
  };

  for (let index = 0; index < workers; index += 1) {
    new WorkerModel({
      events,
      database,
      lane,
      overdue,
      scenario,
      random,
      onStart: (run) => {
        if (isWarm()) waits.push(events.now - run.arrivedAt);
      },
      onFinish: () => {
        finished += 1;
      },
    }).start();
  }
  arrive();
  startRelay({ events, database, overdue, publisher: newPublisher(), scenario });
  let redisBefore = 0;
  events.after(warmUpSeconds * 1000, () => {
    database.resetCounts();
    finishedBefore = finished;
    redisBefore = lane.redis.worked;
  });
  events.runUntil(seconds * 1000);

  const measuredMs = (seconds - warmUpSeconds) * 1000;
  const upkeep = UPKEEP.map((kind) => database.countOf(kind));
  const [insert, exchange] = [database.countOf('insert'), database.countOf('exchange')];
  const cores = scenario.postgresCores * measuredMs;
  const total = (of: (count: (typeof upkeep)[number]) => number): number =>
    upkeep.reduce((sum, count) => sum + of(count), 0);
  return {
    throughput: (finished - finishedBefore) / (measuredMs / 1000),
    startP50: percentile(waits, 0.5),
    startP99: percentile(waits, 0.99),
    postgresRuns: (insert.cpu + exchange.cpu) / cores,
    postgresUpkeep: total((count) => count.cpu) / cores,
    statements: (insert.statements + exchange.statements) / (measuredMs / 1000),
    upkeepStatements: total((count) => count.statements) / (measuredMs / 1000),
    redis: (lane.redis.worked - redisBefore) / measuredMs,
    runsPerExchange: exchange.items / 2 / Math.max(1, exchange.statements),
    submitted,
    finished,
    backlog: submitted - finished,
  };
}
