/** Bodies, queries and answers of the trigger endpoints. */
import { z } from 'zod';
import { CONDITION_LIMITS, RUN_KINDS } from '@spine/core';
import type { DeliveryRecord, TriggerRecord } from '@spine/database';
import { LEDGER_EVENT_TYPES, RUN_EVENT_TYPES, TABLE_OPERATIONS, TRIGGER_LIMITS } from '@spine/scheduling';
import type { SourceInput, TriggerInput } from '@spine/scheduling';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { once } from '../http/query-values.ts';
import { storable, targetFields, workFields, workOf } from '../schedules/work-fields.ts';

const EVENT_SOURCES = ['webhook', 'postgres', 'table', 'file', 'redis', 'run_event', 'ledger'] as const;

const name = z
  .string()
  .regex(TRIGGER_LIMITS.name, 'must be a lower-case letter, then at most 99 of a-z, 0-9, "_", ".", "-"');

const sourceJson = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('webhook'),
      secret_ref: z
        .string()
        .max(220)
        .describe('Where the secret is, e.g. secret:env:NAME. Never the secret.'),
    }),
    z.strictObject({
      type: z.literal('postgres'),
      channel: z
        .string()
        .max(63)
        .describe('Of NOTIFY. At most once: what is sent while nobody listens is gone.'),
    }),
    z.strictObject({
      type: z.literal('table'),
      table: z.string().max(130).describe('schema.table, which has the trigger spine_capture_change.'),
      operations: z.array(z.enum(TABLE_OPERATIONS)).min(1).optional().describe('Default all.'),
    }),
    z.strictObject({
      type: z.literal('file'),
      folder: z.string().min(1).max(500).describe('Relative to a data root.'),
      pattern: z.string().max(100).optional().describe('File name with * and ?. Default *.'),
    }),
    z.strictObject({
      type: z.literal('redis'),
      channel: z.string().max(100).describe('Of PUBLISH. At most once.'),
    }),
    z.strictObject({
      type: z.literal('ledger'),
      types: z.array(z.enum(LEDGER_EVENT_TYPES)).min(1).optional().describe('Default all.'),
      domain: z.string().min(1).max(200).optional(),
    }),
    z.strictObject({
      type: z.literal('run_event'),
      types: z.array(z.enum(RUN_EVENT_TYPES)).min(1).optional().describe('Default all.'),
      kind: z.enum(RUN_KINDS).optional(),
      name: z.string().max(200).optional().describe('Handler name without its kind.'),
    }),
  ])
  .meta({ id: 'TriggerSource' });

export const triggerBody = z
  .strictObject({
    name,
    description: storable(2_000).optional(),
    source: sourceJson,
    filter: z
      .string()
      .max(CONDITION_LIMITS.length)
      .optional()
      .describe('A CEL condition over event: {id, type, source, channel, received_at, data}.'),
    param_mapping: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/), z.string().max(500))
      .optional()
      .describe('Params by paths into the event’s data ($.a.b[0]), or into the event ($event.id).'),
    ...targetFields,
    ...workFields('Params of every run; those of param_mapping come on top.'),
  })
  .meta({ id: 'TriggerRequest', description: 'Which run starts when something happens.' });
export type TriggerBody = z.infer<typeof triggerBody>;

function sourceInput(source: TriggerBody['source']): SourceInput {
  if (source.type === 'webhook') return { type: 'webhook', secretRef: source.secret_ref };
  return source;
}

export function triggerInput(body: TriggerBody): TriggerInput {
  return {
    name: body.name,
    description: body.description,
    source: sourceInput(body.source),
    filter: body.filter,
    paramMapping: body.param_mapping,
    work: workOf(body),
  };
}

export const triggerListQuery = z.strictObject({
  source: once(z.enum(EVENT_SOURCES)).optional(),
  state: once(z.enum(['active', 'paused'])).optional(),
  ...offsetPaging,
});
export type TriggerListQuery = z.infer<typeof triggerListQuery>;

export const deliveryListQuery = z.strictObject({
  status: once(z.enum(['ACCEPTED', 'FILTERED', 'REJECTED'])).optional(),
  ...cursorPaging,
});
export type DeliveryListQuery = z.infer<typeof deliveryListQuery>;

export const triggerJson = z
  .object({
    trigger_id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    state: z.enum(['active', 'paused', 'deleted']),
    source: z.enum(EVENT_SOURCES),
    channel: z.string(),
    source_config: z.record(z.string(), z.unknown()),
    filter: z.string().nullable(),
    param_mapping: z.record(z.string(), z.string()),
    target_type: z.enum(RUN_KINDS),
    target_name: z.string(),
    work: z.record(z.string(), z.unknown()),
    version: z.int().describe('Also the ETag.'),
    created_by: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Trigger' });
export type TriggerJson = z.infer<typeof triggerJson>;

export function toTriggerJson(trigger: TriggerRecord): TriggerJson {
  return {
    trigger_id: trigger.triggerId,
    name: trigger.name,
    description: trigger.description,
    state: trigger.state,
    source: trigger.source,
    channel: trigger.channel,
    source_config: trigger.sourceConfig,
    filter: trigger.filter,
    param_mapping: trigger.paramMapping,
    target_type: trigger.targetKind,
    target_name: trigger.targetName,
    work: trigger.work,
    version: trigger.version,
    created_by: trigger.createdBy,
    created_at: trigger.createdAt.toISOString(),
    updated_at: trigger.updatedAt.toISOString(),
  };
}

export const deliveryJson = z
  .object({
    delivery_id: z.string(),
    trigger_id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    status: z.enum(['ACCEPTED', 'FILTERED', 'REJECTED']),
    reason: z.string().nullable(),
    run_id: z.string().nullable(),
    received_at: z.iso.datetime(),
    delivered_at: z.iso.datetime(),
  })
  .meta({ id: 'TriggerDelivery', description: 'What a trigger made of an event.' });
export type DeliveryJson = z.infer<typeof deliveryJson>;

export function toDeliveryJson(delivery: DeliveryRecord): DeliveryJson {
  return {
    delivery_id: String(delivery.deliveryId),
    trigger_id: delivery.triggerId,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    status: delivery.status,
    reason: delivery.reason,
    run_id: delivery.runId,
    received_at: delivery.receivedAt.toISOString(),
    delivered_at: delivery.deliveredAt.toISOString(),
  };
}

export const webhookDeliveryJson = z
  .object({
    event_id: z.string(),
    status: z.enum(['ACCEPTED', 'FILTERED', 'REJECTED']),
    reason: z.string().nullable(),
    run_id: z.string().nullable(),
    duplicate: z.boolean().describe('It was received before and started nothing now.'),
  })
  .meta({ id: 'WebhookDelivery' });
