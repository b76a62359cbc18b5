/** The real table: the engine's own statements, as the services send them, over a Postgres with a virtual clock. */
import { assertNever, newId } from '@spine/core';
import * as database from '@spine/database';
import { DEFAULTS } from '@spine/execution';
import { runOf } from '../../integration/engine-support.ts';
import { LEASE_MS } from '../model/row.ts';
import type { Spec } from '../model/row.ts';
import { BASE } from './clock.ts';
import type { ClockedDatabase } from './clock.ts';
import { uniqueByRun } from './modelled.ts';
import { settlementFor, WORKERS } from './operations.ts';
import type { Operation, SettleTarget, Target } from './operations.ts';
import type { Shown, ShownRun, Table } from './tables.ts';

type Insert = Extract<Operation, { type: 'insert' }>;

const SOURCE = 'simulation';
const HANDLERS = ['task:echo'];
const LANE = DEFAULTS.lane;

export class StoredTable implements Table {
  readonly #base: ClockedDatabase;
  readonly #ids: string[] = [];
  readonly #specs: Spec[] = [];
  readonly #workers: readonly string[] = Array.from({ length: WORKERS }, newId);
  #now = 0;

  constructor(base: ClockedDatabase) {
    this.#base = base;
  }

  async apply(operation: Operation): Promise<Shown> {
    const { pool, db } = this.#base;
    switch (operation.type) {
      case 'advance':
        this.#now += operation.ms;
        await this.#base.setTime(this.#now);
        return [];
      case 'insert':
        return this.#insert(operation);
      case 'pause_lane':
        return [String(await database.pauseLane(pool, LANE, SOURCE, null))];
      case 'resume_lane':
        return [String(await database.resumeLane(pool, LANE))];
      case 'claim':
        return this.#claimed(
          await database.claimRuns(pool, this.#idsOf(operation.runs), this.#by(operation.worker)),
        );
      case 'poll':
        return this.#claimed(await this.#poll(this.#by(operation.worker)));
      case 'held': {
        const { workerId } = this.#by(operation.worker);
        return this.#claimed(await database.runsHeldBy(pool, this.#idsOf(operation.runs), workerId));
      }
      case 'settle':
        return database.settleRuns(pool, await this.#items(operation.items), { source: SOURCE });
      case 'exchange': {
        const items = await this.#items(operation.items);
        const settling = new Set(items.map(({ runId }) => runId));
        const runIds = this.#idsOf(operation.runs).filter((id) => !settling.has(id));
        const options = { ...this.#by(operation.worker), source: SOURCE };
        const { settled, claimed } = await database.exchangeRuns(pool, items, runIds, options);
        return [...settled, ...this.#claimed(claimed)];
      }
      case 'heartbeat':
        return this.#heartbeat(operation.worker, operation.held);
      case 'event': {
        const { runId, epoch } = await this.#at(operation.target);
        return database.appendAttemptEvents(
          pool,
          [{ runId, epoch, eventType: 'progress', data: '{}' }],
          SOURCE,
        );
      }
      case 'cancel': {
        const outcome = await database.cancelRun(db, this.#id(operation.run), null, SOURCE);
        return outcome.type === 'cancelled' ? ['cancelled', outcome.from] : this.#refused(operation.run);
      }
      case 'pause': {
        const outcome = await database.pauseRun(pool, this.#id(operation.run), null, SOURCE);
        return outcome.type === 'paused' ? ['paused', outcome.from] : this.#refused(operation.run);
      }
      case 'resume': {
        const outcome = await database.resumeRun(pool, this.#id(operation.run), SOURCE);
        return outcome.type === 'resumed' ? ['resumed', 'paused'] : this.#refused(operation.run);
      }
      case 'unhint':
        await database.markUnhinted(pool, this.#idsOf(operation.runs));
        return [];
      case 'reap':
        return this.#ended(await database.reapRuns(pool));
      case 'relay': {
        const due = await database.takeDueForHint(pool);
        return this.#ended(due.map(({ runId }) => ({ runId, status: 'queued' })));
      }
      case 'expire':
        return this.#ended(await database.expireRuns(pool));
      default:
        return assertNever(operation);
    }
  }

  async show(): Promise<readonly ShownRun[]> {
    const { rows } = await this.#base.pool.query<ShownRun & { lease_owner: string | null }>({
      name: 'simulation_show',
      text: SHOW_SQL,
      values: [this.#ids, BASE],
    });
    return rows.map((row) => ({
      ...row,
      lease_owner: row.lease_owner === null ? null : this.#workers.indexOf(row.lease_owner),
    }));
  }

  async #insert({ spec, hinted, ambiguous, claimedBy, lateMs }: Insert): Promise<Shown> {
    const at = (ms: number | null): Date | null => (ms === null ? null : new Date(BASE + this.#now + ms));
    const run = runOf(
      {},
      {
        maxAttempts: spec.maxAttempts,
        timeoutMs: spec.timeoutMs,
        retryDelayMs: spec.retryDelayMs,
        deadLetter: spec.deadLetter,
        runAfter: at(spec.runAfterMs),
        expiresAt: at(spec.expiresMs),
        deadlineMs: spec.deadlineMs,
      },
    );
    this.#ids.push(run.runId);
    this.#specs.push(spec);
    const claim = claimedBy === null ? null : { ...this.#by(claimedBy), runIds: new Set([run.runId]) };
    if (lateMs > 0) await this.#base.setTime(this.#now, lateMs);
    const outcomes = await database.insertRuns(this.#base.pool, [run], { ambiguous, hinted, claim });
    if (lateMs > 0) await this.#base.setTime(this.#now);
    return outcomes.map((outcome) => (outcome.type === 'inserted' ? outcome.status : outcome.type));
  }

  async #heartbeat(worker: number, held: readonly Target[]): Promise<Shown> {
    const targets = await Promise.all(
      uniqueByRun(held, (run) => this.#number(run)).map((target) => this.#at(target)),
    );
    const { workerId, leaseMs } = this.#by(worker);
    const answer = await database.heartbeat(this.#base.pool, {
      workerId,
      leaseMs,
      status: 'active',
      held: targets,
    });
    return [...answer.held].map((id) => String(this.#ids.indexOf(id))).sort();
  }

  async #items(items: readonly SettleTarget[]): Promise<database.SettleItem[]> {
    return Promise.all(
      uniqueByRun(items, (run) => this.#number(run)).map(async (item) => ({
        ...(await this.#at(item)),
        settlement: settlementFor(this.#spec(item.run), item.settlement),
      })),
    );
  }

  async #at({ run, back }: Target): Promise<{ runId: string; epoch: number }> {
    const runId = this.#id(run);
    const { epoch } = await this.#row(runId);
    return { runId, epoch: Math.max(0, epoch - back) };
  }

  async #row(runId: string): Promise<{ status: string; epoch: number }> {
    const { rows } = await this.#base.pool.query<{ status: string; epoch: number }>({
      name: 'simulation_row',
      text: 'SELECT status, epoch FROM runs WHERE id = $1',
      values: [runId],
    });
    const [row] = rows;
    if (row === undefined) throw new Error(`no run ${runId}`);
    return row;
  }

  async #refused(run: number): Promise<Shown> {
    return ['refused', (await this.#row(this.#id(run))).status];
  }

  #number(run: number): number {
    return run % this.#ids.length;
  }

  #id(run: number): string {
    const id = this.#ids[this.#number(run)];
    if (id === undefined) throw new RangeError(`no run ${run}`);
    return id;
  }

  #spec(run: number): Spec {
    const spec = this.#specs[this.#number(run)];
    if (spec === undefined) throw new RangeError(`no run ${run}`);
    return spec;
  }

  #idsOf(runs: readonly number[]): string[] {
    return [...new Set(runs.map((run) => this.#id(run)))];
  }

  #by(worker: number) {
    const workerId = this.#workers[worker];
    if (workerId === undefined) throw new RangeError(`no worker ${worker}`);
    return { workerId, leaseMs: LEASE_MS, handlers: HANDLERS };
  }

  async #poll(by: database.ClaimOptions): Promise<database.ClaimedRun[]> {
    const { pool } = this.#base;
    return database.claimRuns(pool, await database.overdueRuns(pool, [LANE], by.handlers, 100), by);
  }

  #claimed(runs: readonly database.ClaimedRun[]): Shown {
    return runs
      .map(({ runId, epoch, attempt }) => `${this.#ids.indexOf(runId)} epoch ${epoch} attempt ${attempt}`)
      .sort();
  }

  #ended(runs: readonly { readonly runId: string; readonly status: string }[]): Shown {
    return runs.map(({ runId, status }) => `${this.#ids.indexOf(runId)} ${status}`).sort();
  }
}

const ms = (column: string): string =>
  `(extract(epoch FROM r.${column}) * 1000)::bigint - $2::bigint AS ${column}`;

const SHOW_SQL = `SELECT r.status, r.epoch, r.attempt, r.crash_count, r.started_at IS NOT NULL AS started, r.lease_owner,
  ${['lease_expires_at', 'deadline_at', 'available_at', 'dispatch_after', 'expires_at', 'run_deadline_at'].map(ms).join(', ')},
  r.dispatch_no, r.finished_epoch,
  ARRAY(SELECT e.event_type || '@' || e.epoch || CASE WHEN e.terminal THEN '!' ELSE '' END
    FROM run_events e WHERE e.run_id = r.id ORDER BY e.event_id) AS events,
  (SELECT count(*) FROM dead_letters d WHERE d.run_id = r.id) AS dead_letters
FROM unnest($1::uuid[]) WITH ORDINALITY AS i(id, ord) JOIN runs r ON r.id = i.id ORDER BY i.ord`;
