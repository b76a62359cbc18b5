import type { PayloadKey } from '@spine/database';
import type { PayloadScheme } from './ref.ts';

/**
 * Keeps JSON texts by run and slot. It knows nothing of hashes and references: whoever reads compares.
 *
 * 1. A put that has resolved survives a crash. 2. A put of the same key replaces what was there, whole or not at all.
 * 3. Every fault is thrown as PayloadUnavailableError, and then the store is as it was.
 */
export interface PayloadStore {
  readonly scheme: PayloadScheme;
  /** Whether what is missing may only not be visible from here. */
  readonly mayBeUnmounted: boolean;
  put(key: PayloadKey, text: string): Promise<void>;
  /** The text, or null. */
  get(key: PayloadKey): Promise<string | null>;
  /** Copies within the store; false when there is nothing to copy. */
  copy(from: PayloadKey, to: PayloadKey): Promise<boolean>;
  /** Deletes what is there; what is not there is gone already. */
  delete(key: PayloadKey): Promise<void>;
  /** Pages of keys whose payloads were stored longer than `minAgeMs` ago. */
  list(minAgeMs: number): AsyncIterable<readonly PayloadKey[]>;
}
