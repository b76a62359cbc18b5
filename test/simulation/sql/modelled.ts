/** The model's table: the functions of `../model`, a row at a time. */
import { assertNever } from '@spine/core';
import type { Guards } from '../model/guards.ts';
import { adoptRow, insertRow } from '../model/insert-statements.ts';
import type { Change, Row } from '../model/row.ts';
import * as service from '../model/service-statements.ts';
import * as worker from '../model/worker-statements.ts';
import { settlementFor } from './operations.ts';
import type { Operation, SettleTarget, Target } from './operations.ts';
import type { Shown, ShownRun, Table } from './tables.ts';

interface Stored {
  row: Row;
  readonly events: string[];
  /** Epochs that have settled it. */
  readonly settledAt: Set<number>;
  deadLetters: number;
}

export class ModelledTable implements Table {
  readonly #guards: Guards;
  readonly #runs: Stored[] = [];
  #now = 0;
  #lanePaused = false;

  constructor(guards: Guards) {
    this.#guards = guards;
  }

  apply(operation: Operation): Shown {
    switch (operation.type) {
      case 'advance':
        this.#now += operation.ms;
        return [];
      case 'insert':
        return this.#insert(operation);
      case 'pause_lane':
      case 'resume_lane': {
        const paused = operation.type === 'pause_lane';
        const changed = this.#lanePaused !== paused;
        this.#lanePaused = paused;
        return [String(changed)];
      }
      case 'claim':
        return this.#claim(operation.runs, operation.worker, false);
      case 'poll':
        return this.#claim([...this.#runs.keys()], operation.worker, true);
      case 'held':
        return this.#numbers(operation.runs)
          .filter((number) => worker.isHeldBy(this.#row(number), operation.worker))
          .map((number) => this.#claimed(number));
      case 'settle':
        return this.#settle(operation.items);
      case 'exchange': {
        const settling = new Set(operation.items.map((item) => this.#number(item.run)));
        const runs = operation.runs.filter((run) => !settling.has(this.#number(run)));
        return [...this.#settle(operation.items), ...this.#claim(runs, operation.worker, false)];
      }
      case 'heartbeat':
        return this.#heartbeat(operation.held);
      case 'event': {
        const { number, epoch } = this.#at(operation.target);
        return [
          this.#change(number, (row) => worker.handlerEventRow(row, epoch, this.#guards))
            ? 'appended'
            : 'fenced',
        ];
      }
      case 'cancel':
        return this.#operator(operation.run, 'cancelled', (row) => service.cancelRow(row, this.#guards));
      case 'pause':
        return this.#operator(operation.run, 'paused', (row) => service.pauseRow(row, this.#guards));
      case 'resume':
        return this.#operator(operation.run, 'resumed', (row) => service.resumeRow(row, this.#now));
      case 'unhint':
        for (const run of operation.runs) {
          this.#change(this.#number(run), (row) => service.unhintRow(row, this.#now, this.#guards));
        }
        return [];
      case 'reap':
        return this.#all((row) => service.reapRow(row, row, this.#now, this.#guards));
      case 'relay':
        return this.#lanePaused ? [] : this.#all((row) => service.relayRow(row, this.#now, this.#guards));
      case 'expire':
        return this.#all((row) => service.expireRow(row, this.#now, this.#guards));
      default:
        return assertNever(operation);
    }
  }

  show(): readonly ShownRun[] {
    return this.#runs.map(({ row, events, deadLetters }) => ({
      status: row.status,
      epoch: row.epoch,
      attempt: row.attempt,
      crash_count: row.crashCount,
      started: row.started,
      lease_owner: row.leaseOwner,
      lease_expires_at: row.leaseExpiresAt,
      deadline_at: row.deadlineAt,
      available_at: row.availableAt,
      dispatch_after: row.dispatchAfter,
      dispatch_no: row.dispatchNo,
      finished_epoch: row.finishedEpoch,
      expires_at: row.expiresAt,
      run_deadline_at: row.runDeadlineAt,
      events: [...events],
      dead_letters: deadLetters,
    }));
  }

  #insert({ spec, hinted, claimedBy, lateMs }: Extract<Operation, { type: 'insert' }>): Shown {
    const inserted = insertRow(spec, hinted, this.#now);
    const number =
      this.#runs.push({ row: inserted.row, events: [], settledAt: new Set(), deadLetters: 0 }) - 1;
    this.#change(number, () => inserted);
    if (claimedBy !== null) {
      const begunAt = this.#now;
      const input = { worker: claimedBy, lanePaused: this.#lanePaused, begunAt, now: begunAt + lateMs };
      this.#change(number, (row) => adoptRow(row, input, this.#guards));
    }
    return [this.#row(number).status];
  }

  #number(run: number): number {
    return run % this.#runs.length;
  }

  #row(number: number): Row {
    const stored = this.#runs[number];
    if (stored === undefined) throw new RangeError(`no run ${number}`);
    return stored.row;
  }

  /** The run a target means, and the epoch it names. */
  #at({ run, back }: Target): { number: number; epoch: number } {
    const number = this.#number(run);
    return { number, epoch: Math.max(0, this.#row(number).epoch - back) };
  }

  #change(number: number, decide: (row: Row) => Change | null): boolean {
    const stored = this.#runs[number];
    const change = stored === undefined ? null : decide(stored.row);
    if (stored === undefined || change === null) return false;
    stored.row = change.row;
    const { event } = change;
    if (event !== null) stored.events.push(`${event.type}@${event.epoch}${event.terminal ? '!' : ''}`);
    if (change.deadLetter) stored.deadLetters += 1;
    return true;
  }

  #all(decide: (row: Row) => Change | null): Shown {
    return this.#runs.flatMap(({ row }, number) =>
      this.#change(number, () => decide(row)) ? [`${number} ${this.#row(number).status}`] : [],
    );
  }

  #numbers(runs: readonly number[]): number[] {
    return [...new Set(runs.map((run) => this.#number(run)))].sort((a, b) => a - b);
  }

  #claimed(number: number): string {
    const { epoch, attempt } = this.#row(number);
    return `${number} epoch ${epoch} attempt ${attempt}`;
  }

  #claim(runs: readonly number[], by: number, overdue: boolean): Shown {
    const input = { worker: by, overdue, lanePaused: this.#lanePaused };
    return this.#numbers(runs)
      .filter((number) => this.#change(number, (row) => worker.claimRow(row, input, this.#now, this.#guards)))
      .map((number) => this.#claimed(number));
  }

  #settle(items: readonly SettleTarget[]): Shown {
    return uniqueByRun(items, (run) => this.#number(run)).map((item) => {
      const { number, epoch } = this.#at(item);
      const { attempt, spec } = this.#row(number);
      const input = { epoch, attempt, settlement: settlementFor(spec, item.settlement) };
      const stored = this.#change(number, (row) => worker.settleRow(row, input, this.#now, this.#guards));
      const settledAt = this.#runs[number]?.settledAt;
      if (stored) settledAt?.add(epoch);
      const finishedEpoch = this.#row(number).finishedEpoch ?? -1;
      const mine = finishedEpoch === epoch || (finishedEpoch > epoch && settledAt?.has(epoch) === true);
      return stored || (this.#guards.settleFinishedEpoch && mine) ? 'settled' : 'fenced';
    });
  }

  #heartbeat(held: readonly Target[]): Shown {
    return uniqueByRun(held, (run) => this.#number(run))
      .map((target) => this.#at(target))
      .filter(({ number, epoch }) =>
        this.#change(number, (row) => worker.heartbeatRow(row, epoch, this.#now, this.#guards)),
      )
      .map(({ number }) => String(number))
      .sort();
  }

  #operator(run: number, done: string, decide: (row: Row) => Change | null): Shown {
    const number = this.#number(run);
    const before = this.#row(number).status;
    return this.#change(number, decide) ? [done, before] : ['refused', before];
  }
}

/** One target a run, as the engine sends them; two of one run would be two rows of one statement. */
export function uniqueByRun<T extends { readonly run: number }>(
  targets: readonly T[],
  number: (run: number) => number,
): T[] {
  return [...new Map(targets.map((target) => [number(target.run), target])).values()];
}
