/** The items of a map of a workflow run, in pages: those that have not begun have no records, and are `pending`. */
import type { ErrorInfo, JsonObject, JsonValue } from '@spine/core';
import { readShownRecords } from '@spine/database';
import type { ItemState, ItemStatus, StepState } from '../engine/state.ts';
import { unitKey } from '../engine/unit.ts';
import { INSPECT_LIMITS, look } from './inspect-look.ts';
import type { Inspected, InspectServices } from './inspect-look.ts';

export interface ItemView {
  readonly index: number;
  readonly status: ItemStatus;
  /** Which step of the iterator is its turn, from 0. */
  readonly stage: number;
  readonly attempts: number;
  /** Null where `omitted`. */
  readonly input: JsonValue;
  /** By step of the iterator. */
  readonly outputs: JsonObject;
  readonly omitted: boolean;
  readonly error: ErrorInfo | null;
}

export interface ItemPage {
  /** Null for a step that is no map, or has not begun. */
  readonly count: number | null;
  readonly items: readonly ItemView[];
}

/** Items of a map from `from` on; those that have not begun are `pending`. */
export function inspectItems(
  services: InspectServices,
  runId: string,
  step: string,
  { from, limit }: { readonly from: number; readonly limit: number },
): Promise<Inspected<ItemPage>> {
  return look(services, runId, async (trx): Promise<ItemPage> => {
    const [map] = (
      await readShownRecords(trx, runId, 'step', [step], { maxBytes: 0, large: ['output'] })
    ).values();
    const { map: progress = null } = (map?.value ?? {}) as Partial<StepState>;
    if (progress === null) return { count: null, items: [] };
    const last = Math.min(progress.count, from + limit);
    const indexes = Array.from({ length: Math.max(0, last - from) }, (_, index) => from + index);
    const keyOf = (index: number): string => unitKey({ type: 'item', step, index });
    const records = await readShownRecords(trx, runId, 'item', indexes.map(keyOf), {
      maxBytes: INSPECT_LIMITS.valueBytes,
      large: ['input', 'outputs'],
    });
    return {
      count: progress.count,
      items: indexes.map((index): ItemView => {
        const record = records.get(keyOf(index));
        const item = (record?.value ?? {}) as Partial<ItemState>;
        return {
          index,
          status: item.status ?? 'pending',
          stage: item.stage ?? 0,
          attempts: item.attempt ?? 0,
          input: item.input ?? null,
          outputs: item.outputs ?? {},
          omitted: record?.omitted ?? false,
          error: item.error ?? null,
        };
      }),
    };
  });
}
