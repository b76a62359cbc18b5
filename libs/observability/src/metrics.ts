import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Every metric of a Spine process. Labels are bounded by construction: kinds, outcomes, statement names and fault
 * names are closed sets; user text (handler names, lanes, keys, paths) is never a label.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly submitted: Counter<'kind'>;
  readonly claimed: Counter;
  readonly settled: Counter<'outcome'>;
  readonly fenced: Counter<'operation'>;
  readonly reaped: Counter<'reason'>;
  readonly hints: Counter<'event'>;
  readonly commitItems: Histogram<'statement'>;
  readonly commitSeconds: Histogram<'statement'>;
  readonly runSeconds: Histogram<'kind'>;
  readonly slots: Gauge<'state'>;
  readonly httpSeconds: Histogram<'method' | 'route' | 'status'>;

  constructor(service: string) {
    const registers = [this.registry];
    this.registry.setDefaultLabels({ service });
    const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name, help, labelNames, registers });
    const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
      new Histogram<L>({ name, help, labelNames, buckets, registers });

    this.submitted = counter('spine_runs_submitted_total', 'Runs accepted, by kind.', ['kind']);
    this.claimed = counter('spine_runs_claimed_total', 'Attempts started by this worker.', []);
    this.settled = counter('spine_runs_settled_total', 'Attempts settled by this worker, by outcome.', [
      'outcome',
    ]);
    this.fenced = counter('spine_fenced_writes_total', 'Writes refused because the epoch was not current.', [
      'operation',
    ]);
    this.reaped = counter('spine_runs_reaped_total', 'Runs taken from a worker by the reaper.', ['reason']);
    this.hints = counter('spine_hints_total', 'Hints published, failed, relayed, delivered, given back.', [
      'event',
    ]);
    this.commitItems = histogram(
      'spine_group_commit_items',
      'Items written by one statement.',
      ['statement'],
      [1, 2, 5, 10, 25, 50, 100, 250, 500],
    );
    this.commitSeconds = histogram(
      'spine_group_commit_seconds',
      'Time of one grouped statement including its commit.',
      ['statement'],
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    );
    this.runSeconds = histogram(
      'spine_attempt_seconds',
      'Time a handler took, by kind.',
      ['kind'],
      [0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120, 600, 3600],
    );
    this.slots = new Gauge({
      name: 'spine_worker_slots',
      help: 'Run slots of this worker: used and total.',
      labelNames: ['state'],
      registers,
    });
    this.httpSeconds = histogram(
      'spine_http_request_seconds',
      'HTTP requests by method, route pattern and status class.',
      ['method', 'route', 'status'],
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    );
    collectDefaultMetrics({ register: this.registry });
  }

  /** Records the size and time of a committed batch of one statement. */
  commit(statement: string): (size: number, elapsedMs: number) => void {
    const items = this.commitItems.labels(statement);
    const seconds = this.commitSeconds.labels(statement);
    return (size, elapsedMs) => {
      items.observe(size);
      seconds.observe(elapsedMs / 1000);
    };
  }
}
