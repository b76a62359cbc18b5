/**
 * Dead letters, for operators: what failed for good waits here until somebody runs it again or says that it is done with.
 *
 * The settle and reap statements write the letters of runs; {@link DLQManager.add} is for work that fails outside them.
 */
import { findJsonProblems, newId, toErrorInfo, ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import {
  addDeadLetter,
  closeDeadLetters,
  countPurgeableDeadLetters,
  deadLetterGroups,
  getDeadLetter,
  getDeadLettersOfRuns,
  listDeadLetters,
  purgeDeadLetters,
} from '@spine/database';
import type {
  AddDeadLetterOutcome,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterOrder,
  DeadLetterPage,
  DeadLetterPageRequest,
} from '@spine/database';
import { PayloadMissingError } from '../payload/errors.ts';
import { toStoredError } from '../policy/retry.ts';
import { LIMITS } from '../spec/limits.ts';
import { DEFAULTS } from '../spec/work-spec.ts';
import { replayDeadLetter, replayLetters } from './replay.ts';
import type { Replayed, ReplayOutcome, ReplayServices } from './replay.ts';
import { BULK_LIMIT } from './requests.ts';
import type {
  BulkOptions,
  BulkReplayItem,
  BulkResolveItem,
  BulkResult,
  FailedWork,
  PendingFilter,
} from './requests.ts';
import { deadLetterStats } from './stats.ts';
import type { DeadLetterStats } from './stats.ts';

export type ResolveOutcome =
  | { readonly type: 'resolved'; readonly deadLetter: DeadLetter }
  | { readonly type: 'not_found' }
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

const PURGE_BATCH = 1_000;

function formIssue(field: string, given: string, form: RegExp): ValidationIssue[] {
  if (form.test(given)) return [];
  const message = `given ${JSON.stringify(given.slice(0, 80))}; allowed: text that matches ${form.source}`;
  return [{ field, code: 'invalid_format', message }];
}

export class DLQManager {
  readonly #services: ReplayServices;

  constructor(services: ReplayServices) {
    this.#services = services;
  }

  /**
   * Keeps failed work for later. A run that has not ended or that succeeded gets no letter (`not_failed`), and none gets a
   * second one (`existing`).
   *
   * @throws ValidationError for a name or lane that no run can have, and for params that cannot be stored.
   */
  async add(work: FailedWork): Promise<AddDeadLetterOutcome> {
    const { kind, name, params = {}, lane = DEFAULTS.lane } = work;
    const issues = [
      ...formIssue('name', name, LIMITS.name),
      ...formIssue('lane', lane, LIMITS.lane),
      ...findJsonProblems({ params }),
    ];
    if (issues.length > 0) {
      const [first] = issues;
      throw new ValidationError(`the failed work cannot be kept: ${first?.field}: ${first?.message}`, {
        issues,
      });
    }
    return addDeadLetter(this.#services.db, {
      runId: work.runId ?? newId(),
      kind,
      name,
      lane,
      params,
      error: toStoredError(toErrorInfo(work.error)),
      attempts: work.attempts ?? 1,
      crashCount: work.crashCount ?? 0,
      correlationId: work.correlationId ?? null,
    });
  }

  /** The letter, or null. */
  get(deadLetterId: string): Promise<DeadLetter | null> {
    return getDeadLetter(this.#services.db, deadLetterId);
  }

  /** Letters that match, pending or not, newest first. */
  list(filter: DeadLetterFilter, page: DeadLetterPageRequest): Promise<DeadLetterPage> {
    return listDeadLetters(this.#services.db, filter, page);
  }

  /** Letters that wait for somebody, newest first. */
  listPending(
    filter: PendingFilter = {},
    page: { readonly limit: number; readonly offset: number; readonly order?: DeadLetterOrder } = {
      limit: 50,
      offset: 0,
    },
  ): Promise<DeadLetterPage> {
    return this.list({ ...filter, resolved: false }, page);
  }

  /** A new run for a pending letter, which it closes; of two calls at once one gets it. */
  replay(deadLetterId: string, by: string, note: string | null = null): Promise<ReplayOutcome> {
    return replayDeadLetter(this.#services, deadLetterId, { by, note });
  }

  /** Replays pending letters that match, each as a new run; every letter has its own outcome. */
  async replayAll(filter: PendingFilter, options: BulkOptions): Promise<BulkResult<BulkReplayItem>> {
    const { found, letters } = await this.#find(filter, options);
    if (options.dryRun === true) {
      return { ...found, items: letters.map((deadLetter) => ({ type: 'would_replay', deadLetter })) };
    }
    const verdict = { by: options.by, note: options.note ?? null };
    // Thrown of a letter that is the only one; among others it is left out.
    const replayed = await replayLetters(this.#services, letters, verdict).catch((error: unknown) => {
      if (error instanceof PayloadMissingError) return new Map<string, Replayed>();
      throw error;
    });
    const missed = letters.filter((letter) => !replayed.has(letter.deadLetterId));
    const now = await getDeadLettersOfRuns(
      this.#services.db,
      missed.map((letter) => letter.runId),
    );
    const pending = new Set(now.filter((letter) => letter.resolvedAt === null).map((letter) => letter.runId));
    const items = letters.map((letter): BulkReplayItem => {
      const done = replayed.get(letter.deadLetterId);
      if (done !== undefined) {
        return { type: 'replayed', deadLetter: done.deadLetter, runId: done.run.runId };
      }
      return { type: pending.has(letter.runId) ? 'params_gone' : 'already_resolved', deadLetter: letter };
    });
    return { ...found, items };
  }

  /** Closes a pending letter without running it again. */
  async resolve(deadLetterId: string, by: string, note: string | null = null): Promise<ResolveOutcome> {
    const { db } = this.#services;
    const [closed] = await closeDeadLetters(db, [{ deadLetterId, replayRunId: null }], by, note);
    if (closed !== undefined) return { type: 'resolved', deadLetter: closed };
    const letter = await getDeadLetter(db, deadLetterId);
    return letter === null ? { type: 'not_found' } : { type: 'already_resolved', deadLetter: letter };
  }

  /** Closes pending letters that match without running them again; all of them or, on a fault, none. */
  async resolveAll(filter: PendingFilter, options: BulkOptions): Promise<BulkResult<BulkResolveItem>> {
    const { found, letters } = await this.#find(filter, options);
    if (options.dryRun === true) {
      return { ...found, items: letters.map((deadLetter) => ({ type: 'would_resolve', deadLetter })) };
    }
    const closings = letters.map(({ deadLetterId }) => ({ deadLetterId, replayRunId: null }));
    const closed = await closeDeadLetters(this.#services.db, closings, options.by, options.note ?? null);
    const byId = new Map(closed.map((letter) => [letter.deadLetterId, letter]));
    const items = letters.map((letter): BulkResolveItem => {
      const done = byId.get(letter.deadLetterId);
      return done === undefined
        ? { type: 'already_resolved', deadLetter: letter }
        : { type: 'resolved', deadLetter: done };
    });
    return { ...found, items };
  }

  /**
   * Deletes letters that were resolved more than `olderThanDays` days ago (a whole number, at least 1), never a pending
   * one, and answers how many; with `dryRun`, how many it would delete. Their runs stay.
   *
   * @throws ValidationError for a period that is not allowed.
   */
  async purgeResolved(olderThanDays: number, options: { readonly dryRun?: boolean } = {}): Promise<number> {
    if (!Number.isInteger(olderThanDays) || olderThanDays < 1 || olderThanDays > 36_500) {
      const message = `given ${olderThanDays}; allowed: a whole number from 1 to 36500`;
      throw new ValidationError(`olderThanDays: ${message}`, {
        issues: [{ field: 'older_than_days', code: 'out_of_range', message }],
      });
    }
    const { db } = this.#services;
    if (options.dryRun === true) return countPurgeableDeadLetters(db, olderThanDays);
    let total = 0;
    for (;;) {
      const deleted = await purgeDeadLetters(db, olderThanDays, PURGE_BATCH);
      total += deleted;
      if (deleted < PURGE_BATCH) return total;
    }
  }

  /** What is pending, and what was closed in the last `closedDays` (default 30) days, by handler and by category. */
  async stats(closedDays = 30, namespace?: string): Promise<DeadLetterStats> {
    return deadLetterStats(closedDays, await deadLetterGroups(this.#services.db, closedDays, namespace));
  }

  async #find(filter: PendingFilter, { limit = BULK_LIMIT, order = 'oldest_first' }: BulkOptions) {
    const page = { limit: Math.min(Math.max(1, limit), BULK_LIMIT), offset: 0, order };
    const { deadLetters, total, totalIsCapped } = await this.listPending(filter, page);
    return { letters: deadLetters, found: { matched: total, matchedIsCapped: totalIsCapped } };
  }
}
