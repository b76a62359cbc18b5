/**
 * Payloads in a table beside the runs: replicated and backed up with them.
 *
 * 1. A connection that breaks is tried again: a result that is given up is an attempt that runs anew, so it is waited for
 * as long as a settlement is. 2. A few transfers at a time: large texts must not take every connection.
 */
import {
  copyPayload,
  deletePayload,
  getPayload,
  GroupCommit,
  listPayloads,
  putPayload,
} from '@spine/database';
import type { PayloadKey, Queryable } from '@spine/database';
import { PayloadUnavailableError } from './errors.ts';
import { nameOf } from './ref.ts';
import type { PayloadStore } from './store.ts';

const PAGE = 500;

/** Transfers of one kind at a time. */
const AT_A_TIME = 2;
/** Connections the store can use: params, results and reads, each {@link AT_A_TIME}. */
export const PAYLOAD_CONNECTIONS = 3 * AT_A_TIME;

interface Put {
  readonly key: PayloadKey;
  readonly text: string;
}

export class PostgresPayloadStore implements PayloadStore {
  readonly scheme = 'pg';
  readonly mayBeUnmounted = false;
  readonly #db: Queryable;
  readonly #params: GroupCommit<Put, null>;
  readonly #results: GroupCommit<Put, null>;
  readonly #reads: GroupCommit<PayloadKey, string | null>;

  constructor(db: Queryable) {
    this.#db = db;
    const puts = (retries: number): GroupCommit<Put, null> =>
      new GroupCommit<Put, null>({
        maxItems: 1,
        inFlight: AT_A_TIME,
        retries,
        flush: async (items) => {
          for (const { key, text } of items) await putPayload(db, key, text);
          return items.map(() => null);
        },
      });
    this.#params = puts(5);
    this.#results = puts(30);
    this.#reads = new GroupCommit<PayloadKey, string | null>({
      maxItems: 1,
      inFlight: AT_A_TIME,
      flush: (keys) => Promise.all(keys.map((key) => getPayload(db, key))),
    });
  }

  async put(key: PayloadKey, text: string): Promise<void> {
    const lane = key.slot === 'params' ? this.#params : this.#results;
    await this.#try(`${nameOf(key)} could not be stored`, () => lane.submit({ key, text }));
  }

  get(key: PayloadKey): Promise<string | null> {
    return this.#try(`${nameOf(key)} could not be read`, () => this.#reads.submit(key));
  }

  copy(from: PayloadKey, to: PayloadKey): Promise<boolean> {
    return this.#try(`${nameOf(from)} could not be copied`, () => copyPayload(this.#db, from, to));
  }

  delete(key: PayloadKey): Promise<void> {
    return this.#try(`${nameOf(key)} could not be deleted`, () => deletePayload(this.#db, key));
  }

  async *list(minAgeMs: number): AsyncIterable<readonly PayloadKey[]> {
    let after: PayloadKey | null = null;
    for (;;) {
      const last: PayloadKey | null = after;
      const keys: PayloadKey[] = await this.#try('payloads could not be listed', () =>
        listPayloads(this.#db, minAgeMs, last, PAGE),
      );
      if (keys.length > 0) yield keys;
      after = keys.at(-1) ?? null;
      if (keys.length < PAGE) return;
    }
  }

  async #try<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new PayloadUnavailableError(what, { cause });
    }
  }
}
