import { dataOf, enveloped } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type { Events } from '../events/events.ts';
import type {
  CancelRequest,
  ListRunEventsData,
  ListRunLogsData,
  ListRunsData,
  PauseRequest,
  Run,
  RunAccepted,
  RunBulkCancelRequest,
  RunBulkRetryRequest,
  WorkSpec,
} from '../generated/index.ts';
import { paged } from '../paging.ts';
import { keyed } from './idempotency.ts';
import { waitForEnd } from './wait.ts';
import type { EndedRun, WaitOptions } from './wait.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

export interface SubmitOptions extends CallOptions {
  /** Accept a handler that no worker has told of yet. Default false. */
  readonly allowUnknown?: boolean | undefined;
}

export interface Submitted extends RunAccepted {
  /** The spec's own, or the one made for it. */
  readonly idempotency_key: string;
  /**
   * Whether the API knew the key already: the run is of an earlier submit, or of an attempt of this one whose answer was
   * lost.
   */
  readonly existing: boolean;
  readonly warnings: readonly string[];
}

export interface SubmitAndWaitOptions extends SubmitOptions, WaitOptions {
  /** Is told the run as soon as it is stored. */
  readonly onSubmitted?: ((run: Submitted) => void) | undefined;
  /** Cancels the run when the signal ends the waiting. Default false: it goes on. */
  readonly cancelOnAbort?: boolean | undefined;
}

/** Runs: submitting, reading, steering, waiting. */
export class Runs {
  readonly #connection: Connection;
  readonly #events: Events;

  constructor(connection: Connection, events: Events) {
    this.#connection = connection;
    this.#events = events;
  }

  /**
   * Answers when the run is stored. Repeated when no answer comes: an idempotency key, made where the spec has none, keeps it
   * one run.
   */
  async submit(spec: WorkSpec, options: SubmitOptions = {}): Promise<Submitted> {
    const { api, call } = this.#connection;
    const body = keyed(spec);
    const answered = await api.submitRun({ ...call(options, true), body, ...allowing(options) });
    const { data, warnings } = enveloped(answered);
    const existing = answered.response.status === 200;
    return { ...data, idempotency_key: body.idempotency_key, existing, warnings };
  }

  /** Up to 1,000 runs, each with an outcome of its own, by its index. Repeated as `submit` is. */
  submitBatch(specs: readonly WorkSpec[], options: SubmitOptions = {}) {
    const { api, call } = this.#connection;
    const body = { runs: specs.map(keyed) };
    return dataOf(api.submitBatch({ ...call(options, true), body, ...allowing(options) }));
  }

  /** Submits and waits for the end, whatever it is: look at `status`. */
  async submitAndWait(spec: WorkSpec, options: SubmitAndWaitOptions = {}): Promise<EndedRun> {
    const { onSubmitted, cancelOnAbort = false, signal } = options;
    const submitted = await this.submit(spec, options);
    onSubmitted?.(submitted);
    try {
      return await this.wait(submitted.run_id, options);
    } catch (error) {
      // Its own signal has fired: this call goes without. That the run has ended meanwhile is no other outcome.
      if (cancelOnAbort && signal?.aborted === true) {
        await this.cancel(submitted.run_id, { reason: 'the client gave up' }).catch(() => undefined);
      }
      throw error;
    }
  }

  /** Waits for a run's end. @throws SpineProblem NOT_FOUND, or the signal's reason */
  wait(runId: string, options: WaitOptions = {}): Promise<EndedRun> {
    return waitForEnd(
      {
        events: (signal) =>
          this.#events.stream({ run_id: runId, until_terminal: true }, { signal, reconnects: 3 }),
        look: (signal) => this.#get(runId, { payloads: false }, { signal }),
        read: (signal) => this.get(runId, { signal }),
      },
      options,
    );
  }

  /** With its params and result. @throws SpineProblem NOT_FOUND */
  get(runId: string, options?: CallOptions): Promise<Run> {
    return this.#get(runId, {}, options);
  }

  /** Newest first. */
  list(query?: Query<ListRunsData>, options?: CallOptions) {
    const { api, call } = this.#connection;
    return paged(query, (query) => api.listRuns({ ...call(options), query }));
  }

  /**
   * With what it has started. `undo` has a workflow take back what its steps have done.
   * @throws SpineProblem NOT_CANCELLABLE or ALREADY_COMPLETE for a run that has ended
   */
  cancel(runId: string, body: NonNullable<CancelRequest> = {}, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.cancelRun({ ...call(options), path: { run_id: runId }, body }));
  }

  /** A new run that does an ended one again. Not repeated by itself: each call makes a run. */
  retry(runId: string, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.retryRun({ ...call(options), path: { run_id: runId } }));
  }

  pause(runId: string, body: NonNullable<PauseRequest> = {}, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.pauseRun({ ...call(options), path: { run_id: runId }, body }));
  }

  resume(runId: string, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.resumeRun({ ...call(options), path: { run_id: runId } }));
  }

  /** Many, by filter; with `dry_run` it is only counted. */
  cancelMany(body: RunBulkCancelRequest, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.cancelRuns({ ...call(options), body }));
  }

  /** Many, by filter; with `dry_run` it is only counted. */
  retryMany(body: RunBulkRetryRequest, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.retryRuns({ ...call(options), body }));
  }

  /** What has happened, oldest first. To follow what happens: `client.events.stream`. */
  events(runId: string, query?: Query<ListRunEventsData>, options?: CallOptions) {
    const { api, call } = this.#connection;
    return paged(query, (query) => api.listRunEvents({ ...call(options), path: { run_id: runId }, query }));
  }

  /** What its handler has logged, oldest first. */
  logs(runId: string, query?: Query<ListRunLogsData>, options?: CallOptions) {
    const { api, call } = this.#connection;
    return paged(query, (query) => api.listRunLogs({ ...call(options), path: { run_id: runId }, query }));
  }

  /** Why it waits, or what it does. */
  explain(runId: string, options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.explain({ ...call(options), path: { run_id: runId } }));
  }

  #get(runId: string, query: { payloads?: boolean }, options: CallOptions | undefined): Promise<Run> {
    const { api, call } = this.#connection;
    return dataOf(api.getRun({ ...call(options), path: { run_id: runId }, query }));
  }
}

function allowing({ allowUnknown }: SubmitOptions): { query?: { allow_unknown: boolean } } {
  return allowUnknown === undefined ? {} : { query: { allow_unknown: allowUnknown } };
}
