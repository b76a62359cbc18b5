/**
 * Tells the first of the lines before gates that it is their turn, and sends their hints.
 *
 * 1. A place that is freed is announced as soon as the end of its run has committed; permits of a rate and an open
 * breaker when their time has come. 2. One round at a time, for all keys that have come together: what it costs does not
 * grow with the length of a line. 3. Nothing here decides, and nothing is lost with the process: every worker and
 * scheduler sweeps all lines in turn.
 */
import { afterGateLocks, gateId, gatesWithLines, wakeLines } from '@spine/database';
import type { GateKey, Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';

export interface LineWatchOptions {
  readonly db: Queryable;
  readonly publisher: HintPublisher;
  readonly logger: Logger;
}

/** Keys of one round. */
const ROUND = 200;
/** Two looks at one line for reasons of time are at least this far apart. */
const SHORTEST_PAUSE_MS = 100;
/** Lines that are watched by the clock; more are left to the sweep. */
const MOST_TIMERS = 1_000;
/** Lines one sweep looks at; the next continues behind them. */
const SWEEP = 500;

interface Asked {
  readonly gate: GateKey;
  /** A run has just given its place back: somebody may be about to join the line because of it. */
  readonly afterEnd: boolean;
}

export class LineWatch {
  readonly #options: LineWatchOptions;
  readonly #asked = new Map<string, Asked>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  #rounds: Promise<void> | null = null;
  #stopped = false;
  #sweptTo: GateKey | null = null;

  constructor(options: LineWatchOptions) {
    this.#options = options;
  }

  /** A run that held these has ended. */
  freed(gates: readonly GateKey[]): void {
    for (const gate of gates) this.#ask(gate, true);
  }

  /** Looks at a line in so many milliseconds; an earlier look that is planned stays. */
  lookIn(gate: GateKey, ms: number): void {
    if (this.#stopped) return;
    const id = gateId(gate);
    const pause = Math.min(Math.max(ms, SHORTEST_PAUSE_MS), 2_000_000_000);
    const at = performance.now() + pause;
    const planned = this.#timers.get(id);
    if (planned !== undefined && planned.at <= at) return;
    if (planned === undefined && this.#timers.size >= MOST_TIMERS) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.#ask(gate, false);
    }, pause);
    // Whoever has nothing else to do may end: others sweep.
    timer.unref();
    this.#timers.set(id, { at, timer });
  }

  /** Looks at the next stretch of all lines; answers whether more follow. */
  async sweep(): Promise<boolean> {
    const gates = await gatesWithLines(this.#options.db, this.#sweptTo, SWEEP);
    for (const gate of gates) this.#ask(gate, false);
    const more = gates.length === SWEEP;
    this.#sweptTo = more ? (gates.at(-1) ?? null) : null;
    await this.drain();
    return more;
  }

  /** Resolves when every line that was asked for has been looked at. */
  async drain(): Promise<void> {
    while (this.#rounds !== null) await this.#rounds;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.drain();
  }

  #ask(gate: GateKey, afterEnd: boolean): void {
    const id = gateId(gate);
    this.#asked.set(id, { gate, afterEnd: afterEnd || this.#asked.get(id)?.afterEnd === true });
    this.#start();
  }

  #start(): void {
    this.#rounds ??= this.#run().finally(() => {
      this.#rounds = null;
      // Asked for after the last look of that round and before its end was noticed.
      if (this.#asked.size > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    // A turn later, so that what ends together is looked at together.
    await Promise.resolve();
    while (this.#asked.size > 0) {
      const round = [...this.#asked].slice(0, ROUND);
      for (const [id] of round) this.#asked.delete(id);
      try {
        await this.#look(round.map(([, asked]) => asked));
      } catch (error) {
        this.#options.logger.debug({ err: error }, 'the lines before gates could not be looked at');
      }
    }
  }

  async #look(round: readonly Asked[]): Promise<void> {
    const { db, publisher } = this.#options;
    const ended = round.filter(({ afterEnd }) => afterEnd).map(({ gate }) => gate);
    if (ended.length > 0) await afterGateLocks(db, ended);
    const { runs, looks } = await wakeLines(
      db,
      round.map(({ gate }) => gate),
    );
    publisher.announce(runs.map((run) => ({ ...run, delayMs: 0 })));
    for (const { gate, againInMs } of looks) if (againInMs !== null) this.lookIn(gate, againInMs);
  }
}
