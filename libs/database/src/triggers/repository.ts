/** Triggers as clients see and change them. */
import { sql } from 'kysely';
import { newId } from '@spine/core';
import { orNameTaken } from '../sql/name-taken.ts';
import type { NameTaken } from '../sql/name-taken.ts';
import type { Db } from '../sql/kysely.ts';
import { toDeliveryRecord, toTriggerRecord } from './record.ts';
import type {
  DeliveryRecord,
  DeliveryStatus,
  EventSource,
  TriggerDefinition,
  TriggerRecord,
} from './record.ts';

const NAME_INDEX = 'event_triggers_name';

export type TriggerWrite =
  | { readonly type: 'written'; readonly trigger: TriggerRecord }
  | NameTaken
  | { readonly type: 'not_found' }
  | { readonly type: 'stale'; readonly trigger: TriggerRecord };

function columnsOf(trigger: TriggerDefinition) {
  return {
    name: trigger.name,
    description: trigger.description,
    source: trigger.source,
    channel: trigger.channel,
    source_config: JSON.stringify(trigger.sourceConfig),
    filter: trigger.filter,
    param_mapping: JSON.stringify(trigger.paramMapping),
    target_kind: trigger.targetKind,
    target_name: trigger.targetName,
    work: JSON.stringify(trigger.work),
  };
}

export async function createTrigger(
  db: Db,
  definition: TriggerDefinition,
  createdBy: string,
): Promise<TriggerWrite> {
  return orNameTaken(definition.name, NAME_INDEX, async () => {
    const triggerId = newId();
    const row = await db
      .insertInto('event_triggers')
      .values({ ...columnsOf(definition), trigger_id: triggerId, state: 'active', created_by: createdBy })
      .returningAll()
      .executeTakeFirstOrThrow();
    return { type: 'written', trigger: toTriggerRecord(row) };
  });
}

/** Replaces a trigger at the version that was read. */
export async function changeTrigger(
  db: Db,
  triggerId: string,
  version: number,
  change: { readonly definition: TriggerDefinition; readonly state: 'active' | 'paused' },
): Promise<TriggerWrite> {
  return orNameTaken(change.definition.name, NAME_INDEX, async () => {
    const row = await db
      .updateTable('event_triggers')
      .set({
        ...columnsOf(change.definition),
        state: change.state,
        version: sql<number>`version + 1`,
        updated_at: sql<Date>`now()`,
      })
      .where('trigger_id', '=', triggerId)
      .where('version', '=', version)
      .where('state', '<>', 'deleted')
      .returningAll()
      .executeTakeFirst();
    if (row !== undefined) return { type: 'written', trigger: toTriggerRecord(row) };
    const there = await getTrigger(db, triggerId);
    return there === null ? { type: 'not_found' } : { type: 'stale', trigger: there };
  });
}

/** Deletes it: it starts nothing more, gives its name back, and its deliveries stay. */
export async function deleteTrigger(db: Db, triggerId: string): Promise<TriggerRecord | null> {
  const row = await db
    .updateTable('event_triggers')
    .set({ state: 'deleted', version: sql<number>`version + 1`, updated_at: sql<Date>`now()` })
    .where('trigger_id', '=', triggerId)
    .where('state', '<>', 'deleted')
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toTriggerRecord(row);
}

export async function getTrigger(db: Db, triggerId: string): Promise<TriggerRecord | null> {
  const row = await db
    .selectFrom('event_triggers')
    .selectAll()
    .where('trigger_id', '=', triggerId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  return row === undefined ? null : toTriggerRecord(row);
}

/** Whether there is such a trigger, or was before it was deleted. */
export async function wasTrigger(db: Db, triggerId: string): Promise<boolean> {
  const row = await db
    .selectFrom('event_triggers')
    .select('trigger_id')
    .where('trigger_id', '=', triggerId)
    .executeTakeFirst();
  return row !== undefined;
}

export async function triggerByName(db: Db, name: string): Promise<TriggerRecord | null> {
  const row = await db
    .selectFrom('event_triggers')
    .selectAll()
    .where('name', '=', name)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  return row === undefined ? null : toTriggerRecord(row);
}

/** Triggers by name; of one source where one is given. */
export async function listTriggers(
  db: Db,
  filter: { readonly source?: EventSource | undefined; readonly state?: 'active' | 'paused' | undefined },
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<{
  readonly triggers: readonly TriggerRecord[];
  readonly total: number;
  readonly hasMore: boolean;
}> {
  let matching = db.selectFrom('event_triggers').where('state', '<>', 'deleted');
  if (filter.source !== undefined) matching = matching.where('source', '=', filter.source);
  if (filter.state !== undefined) matching = matching.where('state', '=', filter.state);
  const rows = await matching
    .selectAll()
    .orderBy('name')
    .limit(limit + 1)
    .offset(offset)
    .execute();
  const { total } = await matching
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return { triggers: rows.slice(0, limit).map(toTriggerRecord), total, hasMore: rows.length > limit };
}

/** The active triggers of a source, for whoever brings its events. */
export async function activeTriggers(db: Db, source: EventSource): Promise<readonly TriggerRecord[]> {
  const rows = await db
    .selectFrom('event_triggers')
    .selectAll()
    .where('state', '=', 'active')
    .where('source', '=', source)
    .orderBy('name')
    .execute();
  return rows.map(toTriggerRecord);
}

/** What a trigger made of its events, newest first. */
export async function listDeliveries(
  db: Db,
  { triggerId, status }: { readonly triggerId: string; readonly status?: DeliveryStatus | undefined },
  { limit, before }: { readonly limit: number; readonly before?: number | undefined },
): Promise<{ readonly deliveries: readonly DeliveryRecord[]; readonly hasMore: boolean }> {
  let matching = db.selectFrom('trigger_deliveries').selectAll().where('trigger_id', '=', triggerId);
  if (status !== undefined) matching = matching.where('status', '=', status);
  if (before !== undefined) matching = matching.where('delivery_id', '<', before);
  const rows = await matching
    .orderBy('delivery_id', 'desc')
    .limit(limit + 1)
    .execute();
  return { deliveries: rows.slice(0, limit).map(toDeliveryRecord), hasMore: rows.length > limit };
}
