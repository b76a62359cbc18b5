/** Triggers of a test, and what became of their events. */
import { createTrigger } from '@spine/database';
import type { TriggerRecord } from '@spine/database';
import { defineTrigger } from '@spine/scheduling';
import type { SourceInput, TriggerInput } from '@spine/scheduling';
import type { Bed } from './engine-run-support.ts';

export type MakeTrigger = (source: SourceInput, more?: Partial<TriggerInput>) => Promise<TriggerRecord>;

/** Makes triggers that start echoes, each with a name of its own. */
export function triggerMaker(bed: Pick<Bed, 'engine'>): MakeTrigger {
  let names = 0;
  return async (source, more = {}) => {
    names += 1;
    const work = { kind: 'task', name: 'echo' } as const;
    const definition = defineTrigger({ name: `trigger-${names}`, source, work, ...more });
    const written = await createTrigger(bed.engine.db, definition, 'test');
    if (written.type !== 'written') throw new Error(written.type);
    return written.trigger;
  };
}

export interface Delivered {
  readonly event_id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly run_id: string | null;
  /** Of the run that was started. */
  readonly params: { readonly path?: string; readonly n?: number } | null;
  readonly metadata: { readonly trigger_depth?: number } | null;
}

/** What a trigger made of its events, oldest first. */
export async function deliveriesOf(
  bed: Pick<Bed, 'admin'>,
  { triggerId }: Pick<TriggerRecord, 'triggerId'>,
): Promise<Delivered[]> {
  const { rows } = await bed.admin.query<Delivered>(
    `SELECT d.event_id, d.status, d.reason, d.run_id, r.params, r.metadata
     FROM trigger_deliveries d LEFT JOIN runs r ON r.id = d.run_id WHERE d.trigger_id = $1 ORDER BY d.delivery_id`,
    [triggerId],
  );
  return rows;
}
