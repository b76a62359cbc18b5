/**
 * From a spec to a stored run.
 *
 * 1. A submission is accepted when its row and its `submitted` event have committed; hints follow, best effort.
 * 2. Expected outcomes are returned, faults are thrown.
 */
import { assertNever, findJsonProblems, handlerKey } from '@spine/core';
import type { JsonProblem } from '@spine/core';
import { GroupCommit, insertRuns } from '@spine/database';
import type { InsertOutcome, NewRun, Queryable } from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { HandlerRegistry } from '../registry/registry.ts';
import { checkRunAfter, checkSizes, newRun } from '../spec/new-run.ts';
import type { NewRunOptions, SpecIssue } from '../spec/new-run.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { CapacityCache } from './capacity.ts';
import type { HintPublisher } from './hint-publisher.ts';
import type { SubmitOutcome } from './outcome.ts';

export interface SubmitterOptions {
  /** For the hot path: prepared statements on pooled connections. */
  readonly pool: Queryable;
  readonly registry: HandlerRegistry;
  readonly publisher: HintPublisher;
  readonly capacity: CapacityCache;
  readonly metrics: Metrics;
}

export interface SubmitOptions extends NewRunOptions {
  /** Accept a handler nobody knows yet, with a warning. Default false. */
  readonly allowUnknown?: boolean;
}

export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #inserts: GroupCommit<NewRun, InsertOutcome>;

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#inserts = new GroupCommit<NewRun, InsertOutcome>({
      flush: (runs, info) => this.#insert(runs, info.ambiguous),
      onFlush: options.metrics.commit('insert_runs'),
    });
  }

  async submit(spec: WorkSpec, options: SubmitOptions): Promise<SubmitOutcome> {
    const issues = this.#checkPayload(spec);
    if (issues.length > 0) return { type: 'invalid', issues };
    const handler = handlerKey(spec.kind, spec.name);
    const known = await this.#isKnown(spec);
    if (!known && options.allowUnknown !== true) return { type: 'unknown_handler', handler };
    const run = newRun(spec, options);
    const tooLarge = checkSizes(run);
    if (tooLarge.length > 0) return { type: 'invalid', issues: tooLarge };
    const stored = await this.store(run);
    const warnings = known
      ? []
      : [`no live worker knows handler ${handler}; the run waits for one that does`];
    return toOutcome(run, stored, warnings);
  }

  /** Stores a run as it is, by group commit, and announces it. */
  store(run: NewRun): Promise<InsertOutcome> {
    return this.#inserts.submit(run);
  }

  /** Resolves when nothing is on its way to Postgres. */
  drain(): Promise<void> {
    return this.#inserts.drain();
  }

  async #insert(runs: readonly NewRun[], ambiguous: boolean): Promise<readonly InsertOutcome[]> {
    const { pool, publisher, metrics } = this.#options;
    const hinted = publisher.available;
    const outcomes = await insertRuns(pool, runs, { ambiguous, hinted });
    const inserted = runs.filter((_, index) => outcomes[index]?.type === 'inserted');
    const now = Date.now();
    for (const run of inserted) metrics.submitted.inc({ kind: run.kind });
    const delayOf = ({ runAfter }: NewRun): number =>
      runAfter === null ? 0 : Math.max(0, runAfter.getTime() - now);
    publisher.announce(
      inserted.map((run) => ({ ...run, delayMs: delayOf(run) })),
      !hinted,
    );
    return outcomes;
  }

  /** Values no store takes, then the handler's own schema where this process knows it. */
  #checkPayload(spec: WorkSpec): readonly SpecIssue[] {
    const problems = [
      ...checkRunAfter(spec),
      ...under('params', findJsonProblems(spec.params ?? {})),
      ...under('metadata', findJsonProblems(spec.metadata ?? {})),
    ];
    if (problems.length > 0) return problems;
    const handler = this.#options.registry.get(spec.kind, spec.name);
    if (handler === undefined) return [];
    const parsed = handler.parse(spec.params ?? {});
    return parsed.ok ? [] : parsed.issues;
  }

  async #isKnown(spec: WorkSpec): Promise<boolean> {
    if (this.#options.registry.get(spec.kind, spec.name) !== undefined) return true;
    const { handlers } = await this.#options.capacity.fresh();
    return handlers.has(handlerKey(spec.kind, spec.name));
  }
}

function toOutcome(run: NewRun, stored: InsertOutcome, warnings: readonly string[]): SubmitOutcome {
  switch (stored.type) {
    case 'inserted':
      return { ...stored, type: 'accepted', warnings };
    case 'fenced':
      return { type: 'fenced' };
    case 'existing': {
      const { runId, status, createdAt, specHash } = stored.run;
      // The same id is this very submission, whose first commit went unanswered.
      if (runId === run.runId) return { type: 'accepted', runId, status, createdAt, warnings };
      return { type: specHash === run.specHash ? 'existing' : 'conflict', run: stored.run };
    }
    default:
      return assertNever(stored);
  }
}

function under(root: string, problems: readonly JsonProblem[]): SpecIssue[] {
  return problems.map((problem) => {
    const { field } = problem;
    return {
      ...problem,
      field: field === '' || field.startsWith('[') ? `${root}${field}` : `${root}.${field}`,
    };
  });
}
