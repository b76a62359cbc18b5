/**
 * Params and results that are too large for their run's row (claim check).
 *
 * 1. A payload is stored before the row that names it commits; one that no row names is harmless and is swept up.
 * 2. A result's slot carries its attempt's epoch: a late attempt overwrites nothing.
 * 3. What is read is compared with the hash in the row, which is the truth.
 */
import { sha256Hex } from '@spine/core';
import type { NewRun, PayloadSlot, RunRecord } from '@spine/database';
import { LIMITS } from '../spec/limits.ts';
import { PayloadCorruptError, PayloadError, PayloadMissingError } from './errors.ts';
import { formatRef, nameOf, parseRef, refOf, resultSlot, standIn } from './ref.ts';
import type { PayloadRef } from './ref.ts';
import type { PayloadStore } from './store.ts';

export interface PayloadLimits {
  /** Bytes of JSON up to which a payload stays in the row. Default 128 KiB. */
  readonly inlineBytes: number;
  /** Bytes of JSON a payload may have. Default {@link LIMITS.payloadBytes}. */
  readonly maxBytes: number;
}

export const DEFAULT_PAYLOAD_LIMITS: PayloadLimits = {
  inlineBytes: 128 * 1024,
  maxBytes: LIMITS.payloadBytes,
};

/** JSON text of a result, or where it is. */
export type StoredResult =
  { readonly result: string | null } | { readonly result: null; readonly resultRef: string };

/** What of a run says where its params are. */
export type HasParams = Pick<RunRecord, 'runId' | 'params' | 'paramsRef'>;

/** What of a run says where its result is. */
export type HasResult = Pick<RunRecord, 'runId' | 'result' | 'resultRef'>;

export class Payloads {
  readonly limits: PayloadLimits;
  readonly #writer: PayloadStore;
  readonly #stores: readonly PayloadStore[];

  /** Writes to `writer`; reads what any of the stores has, so that a deployment can change where it writes. */
  constructor(limits: PayloadLimits, writer: PayloadStore, others: readonly PayloadStore[] = []) {
    this.limits = limits;
    this.#writer = writer;
    this.#stores = [writer, ...others];
  }

  /** Every store there is, for sweeping. */
  get stores(): readonly PayloadStore[] {
    return this.#stores;
  }

  /** Whether JSON text is too large for a row. */
  isLarge(text: string): boolean {
    const { inlineBytes } = this.limits;
    // UTF-8 has at most three bytes a UTF-16 unit: short texts need no count.
    return text.length * 3 > inlineBytes && Buffer.byteLength(text) > inlineBytes;
  }

  /**
   * The run as it is inserted: large params are stored, and a stand-in with their reference takes their place.
   * @throws PayloadUnavailableError; then nothing was stored.
   */
  async stow(run: NewRun): Promise<NewRun> {
    if (run.paramsRef !== null || !this.isLarge(run.params)) return run;
    const ref = await this.#put(run.runId, 'params', run.params);
    return { ...run, params: JSON.stringify(standIn(ref)), paramsRef: formatRef(ref) };
  }

  /**
   * A result as it is settled.
   * @throws PayloadUnavailableError; then nothing was stored.
   */
  async stowResult(runId: string, epoch: number, text: string | null): Promise<StoredResult> {
    if (text === null || !this.isLarge(text)) return { result: text };
    return { result: null, resultRef: formatRef(await this.#put(runId, resultSlot(epoch), text)) };
  }

  /**
   * Gives a run that does another's work again a copy of its params, which live as long as it does.
   * @throws PayloadMissingError when they are gone; PayloadUnavailableError.
   */
  async copyParams(from: HasParams, to: NewRun): Promise<NewRun> {
    if (from.paramsRef === null) return to;
    const ref = parseRef(from.paramsRef);
    const store = this.#storeOf(ref);
    const copied = await store.copy(
      { runId: from.runId, slot: 'params' },
      { runId: to.runId, slot: 'params' },
    );
    if (!copied) throw missing(store, 'params', from.runId);
    return { ...to, params: JSON.stringify(standIn(ref)), paramsRef: from.paramsRef };
  }

  /** Removes a payload whose run was not stored or not settled; what fails here is left to the sweep. */
  discard(runId: string, ref: string | null | undefined): void {
    if (ref === null || ref === undefined) return;
    const parsed = parseRef(ref);
    this.#storeOf(parsed)
      .delete({ runId, slot: parsed.slot })
      .catch(() => undefined);
  }

  /** A run's params, wherever they are. @throws PayloadError */
  async params({ runId, params, paramsRef }: HasParams): Promise<unknown> {
    return paramsRef === null ? params : this.#read(runId, paramsRef);
  }

  /** A run's result, wherever it is. @throws PayloadError */
  async result({ runId, result, resultRef }: HasResult): Promise<unknown> {
    return resultRef === null ? result : this.#read(runId, resultRef);
  }

  /** The run with its payloads in it and no reference left. @throws PayloadError when one cannot be had. */
  async load(run: RunRecord): Promise<RunRecord> {
    if (run.paramsRef === null && run.resultRef === null) return run;
    const params = await this.params(run);
    const result = await this.result(run);
    return { ...run, params, result, paramsRef: null, resultRef: null };
  }

  /**
   * The same for showing: what would make the run larger than `maxBytes`, or cannot be had, keeps its reference, and a
   * stand-in that says why takes its place.
   */
  async show(run: RunRecord, maxBytes: number): Promise<RunRecord> {
    let left = maxBytes;
    const fetch = async (ref: string): Promise<{ value: unknown; ref: string | null }> => {
      const { bytes } = parseRef(ref);
      if (bytes > left)
        return { value: standIn(parseRef(ref), `this answer holds at most ${maxBytes} bytes`), ref };
      left -= bytes;
      try {
        return { value: await this.#read(run.runId, ref), ref: null };
      } catch (error) {
        if (error instanceof PayloadError) return { value: standIn(parseRef(ref), error.message), ref };
        throw error;
      }
    };
    const { paramsRef, resultRef } = run;
    const params = paramsRef === null ? { value: run.params, ref: null } : await fetch(paramsRef);
    const result = resultRef === null ? { value: run.result, ref: null } : await fetch(resultRef);
    return {
      ...run,
      params: params.value,
      paramsRef: params.ref,
      result: result.value,
      resultRef: result.ref,
    };
  }

  async #put(runId: string, slot: PayloadSlot, text: string): Promise<PayloadRef> {
    await this.#writer.put({ runId, slot }, text);
    return refOf(this.#writer.scheme, slot, text);
  }

  async #read(runId: string, refText: string): Promise<unknown> {
    const ref = parseRef(refText);
    const store = this.#storeOf(ref);
    const text = await store.get({ runId, slot: ref.slot });
    if (text === null) throw missing(store, ref.slot, runId);
    if (Buffer.byteLength(text) !== ref.bytes || sha256Hex(text) !== ref.sha256) {
      throw new PayloadCorruptError(
        `${nameOf({ runId, slot: ref.slot })} differs from what was stored: its SHA-256 differs`,
      );
    }
    return JSON.parse(text) as unknown;
  }

  #storeOf({ scheme, slot }: PayloadRef): PayloadStore {
    const store = this.#stores.find((each) => each.scheme === scheme);
    if (store !== undefined) return store;
    // Another process of this deployment may have the folder.
    throw new PayloadMissingError(
      `a payload (${slot}) is in a folder, and SPINE_PAYLOAD_DIR is not set in this process`,
      { retryable: true },
    );
  }
}

function missing(store: PayloadStore, slot: PayloadSlot, runId: string): PayloadMissingError {
  const where = store.mayBeUnmounted
    ? 'the folder of payloads, which may not be mounted here'
    : 'the database';
  return new PayloadMissingError(`${nameOf({ runId, slot })}: not in ${where}`, {
    retryable: store.mayBeUnmounted,
  });
}
