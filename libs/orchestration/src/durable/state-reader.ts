/**
 * Reads records of the states of many workflows in one transaction: what their plans ask for in one turn is one statement.
 */
import { readStateRecords } from '@spine/database';
import type { DbTransaction, OfRun, StateRecord } from '@spine/database';
import type { ReadRecords, RecordName } from './planning.ts';

interface Asked {
  readonly runId: string;
  readonly names: readonly RecordName[];
  readonly resolve: (records: readonly StateRecord[]) => void;
  readonly reject: (error: unknown) => void;
}

export class StateReader {
  readonly #trx: DbTransaction;
  #asked: Asked[] = [];

  constructor(trx: DbTransaction) {
    this.#trx = trx;
  }

  /** Answers with those of the run's records that exist. */
  readerOf(runId: string): ReadRecords {
    return (names) =>
      new Promise((resolve, reject) => {
        this.#asked.push({ runId, names, resolve, reject });
        // Everybody who asks in this turn is heard first.
        if (this.#asked.length === 1) setImmediate(() => void this.#read());
      });
  }

  async #read(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    try {
      const names = asked.flatMap(({ runId, names: wanted }) => wanted.map((name) => ({ ...name, runId })));
      const records = Map.groupBy(await readStateRecords(this.#trx, names), ({ runId }) => runId);
      const none: readonly OfRun<StateRecord>[] = [];
      for (const { runId, resolve } of asked) resolve(records.get(runId) ?? none);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
