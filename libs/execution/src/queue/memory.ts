import { setTimeout as delay } from 'node:timers/promises';
import type { Delivery, Hint, HintConsumer, HintQueue, LaneCounts } from './port.ts';

interface Lane {
  waiting: Hint[];
  delayed: number;
  active: number;
  completed: number;
  failed: number;
  wakers: Set<() => void>;
}

/** How long a consumer waits before it answers null. */
const IDLE_MS = 1_000;

/** The queue of one process, for tests, scripts and single-process use: no server, same rules. */
export class MemoryHintQueue implements HintQueue {
  readonly backend = 'memory';
  readonly #lanes = new Map<string, Lane>();
  readonly #timers = new Set<NodeJS.Timeout>();

  publish(hints: readonly Hint[]): Promise<void> {
    for (const hint of hints) {
      const lane = this.#lane(hint.lane);
      if (hint.delayMs <= 0) {
        this.#enqueue(lane, hint);
        continue;
      }
      lane.delayed += 1;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        lane.delayed -= 1;
        this.#enqueue(lane, hint);
      }, hint.delayMs);
      this.#timers.add(timer);
    }
    return Promise.resolve();
  }

  consume(name: string): HintConsumer {
    const lane = this.#lane(name);
    const closed = new AbortController();
    return {
      deaf: false,
      next: async () => {
        if (closed.signal.aborted) return null;
        const hint = lane.waiting.shift() ?? (await this.#wait(lane, closed.signal));
        if (hint === null) return null;
        lane.active += 1;
        return deliver(lane, hint);
      },
      close: () => {
        closed.abort();
        return Promise.resolve();
      },
    };
  }

  counts(name: string): Promise<LaneCounts> {
    const { waiting, delayed, active, completed, failed } = this.#lane(name);
    return Promise.resolve({ waiting: waiting.length, delayed, active, completed, failed });
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  recoverStalled(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    return Promise.resolve();
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = { waiting: [], delayed: 0, active: 0, completed: 0, failed: 0, wakers: new Set() };
    this.#lanes.set(name, lane);
    return lane;
  }

  #enqueue(lane: Lane, hint: Hint): void {
    const behind = lane.waiting.findIndex((other) => other.priority > hint.priority);
    lane.waiting.splice(behind === -1 ? lane.waiting.length : behind, 0, hint);
    const waker = lane.wakers.values().next().value;
    if (waker !== undefined) {
      lane.wakers.delete(waker);
      waker();
    }
  }

  /** Waits for a hint, the idle time or the close, whichever is first. */
  async #wait(lane: Lane, closed: AbortSignal): Promise<Hint | null> {
    const over = new AbortController();
    let wake: () => void = () => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    lane.wakers.add(wake);
    const idle = delay(IDLE_MS, undefined, { signal: AbortSignal.any([closed, over.signal]) }).catch(
      () => undefined,
    );
    await Promise.race([woken, idle]);
    lane.wakers.delete(wake);
    over.abort();
    return closed.aborted ? null : (lane.waiting.shift() ?? null);
  }
}

function deliver(lane: Lane, hint: Hint): Delivery {
  let finished = false;
  return {
    runIds: hint.runIds,
    priority: hint.priority,
    gated: hint.gated === true,
    early: hint.early === true,
    finish(report) {
      if (!finished) {
        finished = true;
        lane.active -= 1;
        if (report.failure === null) lane.completed += 1;
        else lane.failed += 1;
      }
      return Promise.resolve();
    },
  };
}
