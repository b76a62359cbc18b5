/**
 * Hints to attempts.
 *
 * 1. A slot is taken before a run is claimed; no hint is fetched while no slot is free.
 * 2. What does not fit into free slots waits a moment for some, and is then hinted anew for another worker.
 * 3. A hint ends when all its runs have, and reports what became of them.
 * 4. Nothing is fetched from a lane that is known to be paused.
 * 5. A run whose hint came early is looked for again, without a slot in between; a worker that stops or is full hints it anew.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Logger, Metrics } from '@spine/observability';
import { EARLY_LOOKS_MS } from '../queue/early.ts';
import type { Delivery, HintConsumer, HintQueue } from '../queue/port.ts';
import { within } from '../queue/within.ts';
import type { ClaimEnd } from './attempt-runner.ts';
import { HintTally } from './hint-tally.ts';
import type { PausedLanes } from './paused-lanes.ts';
import type { Slots } from './slots.ts';

export interface HintIntakeOptions {
  readonly queue: HintQueue;
  readonly slots: Slots;
  /** Claims and executes runs, for each of which a slot was taken; frees the slots, and tells of each end once. */
  readonly execute: (runIds: readonly string[], gated: boolean, onEnd: (end: ClaimEnd) => void) => void;
  readonly pausedLanes: Pick<PausedLanes, 'has' | 'changed'>;
  readonly stopping: AbortSignal;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** How long the rest of a hint waits for slots. */
const LEFTOVER_WAIT_MS = 200;
/** How often a full worker looks whether it should stop. */
const FULL_WAIT_MS = 1_000;
const GIVE_BACK_TIMEOUT_MS = 2_000;

export class HintIntake {
  readonly #options: HintIntakeOptions;
  /** Runs of early hints that are looked for, or execute. */
  readonly #expected = new Set<Promise<void>>();
  /** Lanes with a hint that was fetched and waits for slots. */
  readonly #waiting = new Set<string>();

  constructor(options: HintIntakeOptions) {
    this.#options = options;
  }

  /** Whether a hint of the lane was fetched and waits for slots. */
  waits(lane: string): boolean {
    return this.#waiting.has(lane);
  }

  /** Fetches and accepts hints of a lane until the worker stops. */
  async run(lane: string, consumer: HintConsumer): Promise<void> {
    const { slots, stopping, pausedLanes } = this.#options;
    while (!stopping.aborted) {
      if (pausedLanes.has(lane)) {
        await pausedLanes.changed(stopping);
        continue;
      }
      if (!(await slots.whenFree(FULL_WAIT_MS))) continue;
      const delivery = await consumer.next();
      if (delivery === null) continue;
      if (pausedLanes.has(lane)) await this.#putBack(lane, delivery);
      else await this.#accept(lane, delivery);
    }
  }

  /** After the stop: resolves when every run of an early hint has ended, or was hinted anew. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#expected);
  }

  /** Starts a hint's runs as slots allow; returns when the next hint may be fetched. */
  async #accept(lane: string, delivery: Delivery): Promise<void> {
    const { slots, stopping, execute, metrics } = this.#options;
    metrics.hints.inc({ event: 'delivered' });
    const tally = new HintTally(delivery);
    let left = delivery.runIds;
    while (left.length > 0) {
      const taken = stopping.aborted ? 0 : slots.take(left.length);
      const begun = left.slice(0, taken);
      if (!delivery.early) execute(begun, delivery.gated, tally.ended);
      else for (const runId of begun) this.#track(this.#expect(lane, delivery, runId, tally));
      left = left.slice(taken);
      if (left.length === 0) break;
      this.#waiting.add(lane);
      if (stopping.aborted || !(await slots.whenFree(LEFTOVER_WAIT_MS))) break;
    }
    this.#waiting.delete(lane);
    if (left.length > 0) await this.#giveBack(lane, delivery, left);
    tally.givenBack(left.length);
  }

  #track(expected: Promise<void>): void {
    this.#expected.add(expected);
    void expected.finally(() => this.#expected.delete(expected));
  }

  /** Executes a run that may not have committed yet; a slot was taken for it. */
  async #expect(lane: string, delivery: Delivery, runId: string, tally: HintTally): Promise<void> {
    const { stopping, metrics } = this.#options;
    let end = await this.#executeOne(runId, delivery.gated);
    for (const pauseMs of EARLY_LOOKS_MS) {
      if (end !== 'gone') break;
      metrics.hints.inc({ event: 'early' });
      if (pauseMs === 0) await nextTurn();
      else await sleep(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
      if (!(await this.#takesAgain())) {
        await this.#giveBack(lane, delivery, [runId]);
        tally.givenBack(1);
        return;
      }
      end = await this.#executeOne(runId, delivery.gated);
    }
    tally.ended(end);
  }

  #executeOne(runId: string, gated: boolean): Promise<ClaimEnd> {
    return new Promise((resolve) => this.#options.execute([runId], gated, resolve));
  }

  /**
   * Takes a slot for another look, or waits a moment for one: a run whose row was refused must not be handed round without a
   * pause while the lane is full. @returns false where this worker is to leave the run to others.
   */
  async #takesAgain(): Promise<boolean> {
    const { slots, stopping } = this.#options;
    if (stopping.aborted) return false;
    if (slots.take(1) === 1) return true;
    await slots.whenFree(LEFTOVER_WAIT_MS);
    return !stopping.aborted && slots.take(1) === 1;
  }

  /** Fetched before the pause was heard of: kept in the queue for when the lane is resumed. */
  async #putBack(lane: string, delivery: Delivery): Promise<void> {
    await this.#giveBack(lane, delivery, delivery.runIds);
    await delivery.finish({ outcomes: { given_back: delivery.runIds.length }, failure: null });
  }

  async #giveBack(lane: string, delivery: Delivery, runIds: readonly string[]): Promise<void> {
    const { queue, metrics, logger } = this.#options;
    const { priority, gated, early } = delivery;
    metrics.hints.inc({ event: 'given_back' });
    // The relay hints these runs again if this fails. A queue that hangs must not hold up the worker's stop.
    const published = queue
      .publish([{ lane, priority, runIds, label: `given back ×${runIds.length}`, delayMs: 0, gated, early }])
      .catch((error: unknown) => logger.debug({ err: error }, 'giving runs back to the queue failed'));
    await within(GIVE_BACK_TIMEOUT_MS, published);
  }
}
