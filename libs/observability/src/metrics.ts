import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { LaneGauges } from './metrics-lanes.ts';
import { ScheduleMetrics } from './metrics-schedules.ts';
import { WorkflowMetrics } from './metrics-workflows.ts';

/** From a millisecond to seconds: what a statement, and what waits for one, takes. */
const STATEMENT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** Gauges of prom-client that are named as counters are; `nodejs_active_handles` and so on say the same by type. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
] as const;

/**
 * Every metric of a Spine process. Labels are bounded by construction: kinds, outcomes, statement names and fault
 * names are closed sets, lanes are those that operators have configured; user text (handler names, keys, paths) is never
 * a label. docs/observability.md explains each one.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly submitted: Counter<'kind'>;
  readonly claimed: Counter;
  readonly adopted: Counter<'source'>;
  readonly settled: Counter<'outcome'>;
  readonly fenced: Counter<'operation'>;
  readonly lapses: Counter;
  readonly reaped: Counter<'reason'>;
  readonly deadLetters: Counter<'source'>;
  readonly pendingDeadLetters: Gauge;
  readonly purged: Counter<'table'>;
  readonly gateRefusals: Counter<'type'>;
  readonly gateWaiting: Gauge<'type'>;
  readonly holdsReaped: Counter;
  readonly breakerState: Gauge<'name'>;
  readonly hints: Counter<'event'>;
  readonly commitItems: Histogram<'statement'>;
  readonly commitSeconds: Histogram<'statement'>;
  readonly claimSeconds: Histogram;
  readonly settleSeconds: Histogram;
  readonly runSeconds: Histogram<'kind'>;
  readonly slots: Gauge<'state'>;
  readonly draining: Gauge;
  readonly loopLag: Histogram;
  readonly lanes: LaneGauges;
  readonly schedules: ScheduleMetrics;
  readonly workflows: WorkflowMetrics;
  readonly runLogLines: Counter<'outcome'>;
  readonly eventStreams: Gauge;
  readonly httpSeconds: Histogram<'method' | 'route' | 'status'>;
  readonly httpRefusals: Counter<'reason'>;
  readonly dependencyUp: Gauge<'dependency'>;
  readonly traceSpans: Counter<'outcome'>;

  constructor(service: string) {
    const registers = [this.registry];
    this.registry.setDefaultLabels({ service });
    const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name, help, labelNames, registers });
    const gauge = <L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> =>
      new Gauge({ name, help, labelNames, registers });
    const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
      new Histogram<L>({ name, help, labelNames, buckets, registers });

    this.submitted = counter('spine_runs_submitted_total', 'Runs accepted, by kind.', ['kind']);
    this.claimed = counter('spine_runs_claimed_total', 'Attempts started by this worker.', []);
    this.adopted = counter(
      'spine_runs_adopted_total',
      'Attempts of runs that this process had stored as claimed, by what stored them.',
      ['source'],
    );
    this.settled = counter('spine_runs_settled_total', 'Attempts settled by this worker, by outcome.', [
      'outcome',
    ]);
    this.fenced = counter('spine_fenced_writes_total', 'Writes refused because the epoch was not current.', [
      'operation',
    ]);
    this.lapses = counter(
      'spine_lease_lapses_total',
      'Times this worker found that it had not renewed its leases before they ended.',
      [],
    );
    this.reaped = counter('spine_runs_reaped_total', 'Runs taken from a worker by the reaper.', ['reason']);
    this.deadLetters = counter('spine_dead_letters_total', 'Dead letters written, by what wrote them.', [
      'source',
    ]);
    this.pendingDeadLetters = gauge(
      'spine_dead_letters_pending',
      'Dead letters nobody has closed, counted up to 10,000.',
      [],
    );
    this.purged = counter('spine_purged_rows_total', 'Old rows deleted by retention, by table.', ['table']);
    this.gateRefusals = counter(
      'spine_gate_refusals_total',
      'Claims refused because a gate of the run was shut, by type of gate.',
      ['type'],
    );
    this.gateWaiting = gauge(
      'spine_gate_waiting',
      'Runs that wait for a gate, by type of gate, each counted up to 10,000.',
      ['type'],
    );
    this.holdsReaped = counter(
      'spine_concurrency_holds_reaped_total',
      'Places under a concurrency key that were removed after their attempt was over.',
      [],
    );
    this.breakerState = gauge(
      'spine_breaker_state',
      'Circuit breaker of a dependency this process calls: 0 closed, 1 half open, 2 open.',
      ['name'],
    );
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
      STATEMENT_BUCKETS,
    );
    this.claimSeconds = histogram(
      'spine_claim_seconds',
      'From asking for a run to its claim, for the longest waiting run of each statement.',
      [],
      STATEMENT_BUCKETS,
    );
    this.settleSeconds = histogram(
      'spine_settle_seconds',
      'From the end of an attempt to its commit, for the longest waiting attempt of each statement.',
      [],
      STATEMENT_BUCKETS,
    );
    this.runSeconds = histogram(
      'spine_attempt_seconds',
      'Time a handler took, by kind.',
      ['kind'],
      [0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120, 600, 3600],
    );
    this.slots = gauge('spine_worker_slots', 'Run slots of this worker: used and total.', ['state']);
    this.draining = gauge('spine_worker_draining', '1 while this worker stops.', []);
    this.loopLag = histogram(
      'spine_event_loop_lag_seconds',
      'How late a timer of this process came, looked at twice a second.',
      [],
      [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    );
    this.lanes = new LaneGauges(this.registry);
    this.schedules = new ScheduleMetrics(this.registry);
    this.workflows = new WorkflowMetrics(this.registry);
    this.runLogLines = counter(
      'spine_run_log_lines_total',
      'Lines of handlers: stored, fenced, failed, over_limit (of their attempt), queue_full.',
      ['outcome'],
    );
    this.eventStreams = gauge('spine_event_streams', 'Clients that follow events now.', []);
    this.httpSeconds = histogram(
      'spine_http_request_seconds',
      'HTTP requests by method, route pattern and status class.',
      ['method', 'route', 'status'],
      STATEMENT_BUCKETS,
    );
    this.httpRefusals = counter(
      'spine_http_refusals_total',
      'HTTP requests refused before their endpoint saw them, by why.',
      ['reason'],
    );
    this.dependencyUp = gauge(
      'spine_dependency_up',
      '1 for a dependency that answered when it was last asked, else 0.',
      ['dependency'],
    );
    this.traceSpans = counter(
      'spine_trace_spans_total',
      'Recorded spans: ended, exported, failed to be exported.',
      ['outcome'],
    );
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
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
