/**
 * Group commit: the items that arrive while a statement is under way are written by the next one.
 *
 * 1. A caller's promise settles only after the statement that carried its item has committed (or failed).
 * 2. There is no linger timer: an idle item is flushed at once, and a busy one waits for exactly one commit.
 * 3. An item that cannot be stored fails alone: the batch is halved until it stands by itself.
 * 4. After a broken connection the same batch is sent again, `ambiguous` set, because the first commit may have
 *    happened. The flush must answer such a repeat with the truth; guarded statements do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { classifySqlFault } from './errors.ts';

export interface FlushInfo {
  /** True when an earlier send of these items may have committed. */
  readonly ambiguous: boolean;
}

export interface GroupCommitOptions<I, O> {
  /** Writes the items in one statement and answers with one outcome per item, in order. */
  readonly flush: (items: readonly I[], info: FlushInfo) => Promise<readonly O[]>;
  /** Items of one statement at the most. Default 500. */
  readonly maxItems?: number;
  /** How often a broken connection or a deadlock is tried again. Default 5, with 50 ms doubling to 2 s between. */
  readonly retries?: number;
  /**
   * Statements under way at the most. Default 1. A second one keeps the database at work while this process handles
   * the answer to the first; the items of two statements must not depend on each other.
   */
  readonly inFlight?: number;
  /** Told the size of every committed batch. */
  readonly onFlush?: (size: number, elapsedMs: number) => void;
  /** Told the items of a batch that is not sent again, before their callers are. */
  readonly onGivenUp?: (items: readonly I[]) => void;
}

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (outcome: O, item: I) => void;
  readonly reject: (error: unknown, item: I) => void;
}

type Sent<O> =
  | { readonly type: 'committed'; readonly outcomes: readonly O[] }
  /** One of its items, or what they have in common. */
  | { readonly type: 'refused' | 'given_up'; readonly error: unknown; readonly ambiguous: boolean };

export class GroupCommit<I, O> {
  readonly #options: GroupCommitOptions<I, O>;
  readonly #maxItems: number;
  readonly #retries: number;
  readonly #inFlight: number;
  #queue: Waiting<I, O>[] = [];
  #running = 0;
  #starting = false;
  #idle: (() => void)[] = [];

  constructor(options: GroupCommitOptions<I, O>) {
    this.#options = options;
    this.#maxItems = options.maxItems ?? 500;
    this.#retries = options.retries ?? 5;
    this.#inFlight = options.inFlight ?? 1;
  }

  /** Items that wait for a statement. */
  get pending(): number {
    return this.#queue.length;
  }

  submit(item: I): Promise<O> {
    return new Promise<O>((resolve, reject) => this.add(item, resolve, reject));
  }

  /**
   * The same without a promise for each item: exactly one of the two is called, which must not throw. Both are told the
   * item, so that many items can share them.
   */
  add(item: I, resolve: Waiting<I, O>['resolve'], reject: Waiting<I, O>['reject']): void {
    this.#queue.push({ item, resolve, reject });
    if (this.#running >= this.#inFlight || this.#starting) return;
    this.#starting = true;
    // One turn later, so that everything submitted in this turn shares the first statement.
    queueMicrotask(() => void this.#run());
  }

  submitAll(items: readonly I[]): Promise<O[]> {
    return Promise.all(items.map((item) => this.submit(item)));
  }

  /** Resolves once nothing waits and nothing is under way. */
  async drain(): Promise<void> {
    if (this.#running === 0 && !this.#starting) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    this.#starting = false;
    this.#running += 1;
    while (this.#queue.length > 0) {
      const batch = this.#queue.length <= this.#maxItems ? this.#queue : this.#queue.slice(0, this.#maxItems);
      this.#queue = batch === this.#queue ? [] : this.#queue.slice(this.#maxItems);
      await this.#write(batch, false);
    }
    this.#running -= 1;
    if (this.#running > 0 || this.#starting) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  async #write(batch: readonly Waiting<I, O>[], wasAmbiguous: boolean): Promise<void> {
    const items = batch.map((waiting) => waiting.item);
    const sent = await this.#send(items, wasAmbiguous);
    if (sent.type === 'committed') {
      batch.forEach(({ resolve, item }, index) => resolve(sent.outcomes[index] as O, item));
    } else if (sent.type === 'refused' && batch.length > 1) {
      const middle = batch.length >> 1;
      await this.#write(batch.slice(0, middle), sent.ambiguous);
      await this.#write(batch.slice(middle), sent.ambiguous);
    } else {
      this.#options.onGivenUp?.(items);
      for (const { reject, item } of batch) reject(sent.error, item);
    }
  }

  /** Sends a statement until it has committed, was refused for what it carries, or is given up. */
  async #send(items: readonly I[], wasAmbiguous: boolean): Promise<Sent<O>> {
    let ambiguous = wasAmbiguous;
    for (let tried = 0; ; tried += 1) {
      try {
        const started = performance.now();
        const outcomes = await this.#options.flush(items, { ambiguous });
        if (outcomes.length !== items.length) {
          throw new RangeError(`a flush of ${items.length} items answered with ${outcomes.length} outcomes`);
        }
        this.#options.onFlush?.(items.length, performance.now() - started);
        return { type: 'committed', outcomes };
      } catch (error) {
        const fault = classifySqlFault(error);
        if (fault === 'connection') ambiguous = true;
        if ((fault !== 'connection' && fault !== 'conflict') || tried >= this.#retries) {
          return { type: fault === 'data' ? 'refused' : 'given_up', error, ambiguous };
        }
        await sleep(Math.min(50 * 2 ** tried, 2_000));
      }
    }
  }
}
