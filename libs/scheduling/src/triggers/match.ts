/** What a trigger makes of an event. Pure. */
import { parseCondition, parseJsonLocation } from '@spine/core';
import type { InboundEvent, TriggerRecord } from '@spine/database';

/** Runs that start runs that start runs …: a chain of triggers ends here. */
export const MAX_TRIGGER_DEPTH = 8;

export type Match =
  /** A run is to start, with these params beside those of the trigger's own spec. */
  | { readonly type: 'accept'; readonly params: Readonly<Record<string, unknown>>; readonly depth: number }
  | { readonly type: 'filtered' }
  | { readonly type: 'rejected'; readonly reason: string };

/** What filters and paths see. */
export function eventValue({ eventId, eventType, source, channel, data, receivedAt }: InboundEvent) {
  return {
    id: eventId,
    type: eventType,
    source,
    channel,
    received_at: receivedAt.toISOString(),
    data,
  };
}

export function matchEvent(trigger: TriggerRecord, event: InboundEvent): Match {
  if (!isWanted(trigger, event)) return { type: 'filtered' };
  const value = eventValue(event);
  if (trigger.filter !== null) {
    const answer = parseCondition(trigger.filter, ['event'], 'filter').holds({ event: value });
    if (answer.isErr()) return { type: 'rejected', reason: answer.error.message };
    if (!answer.value) return { type: 'filtered' };
  }
  const depth = depthOf(event) + 1;
  if (depth > MAX_TRIGGER_DEPTH)
    return {
      type: 'rejected',
      reason: `the chain of runs that start runs is longer than ${MAX_TRIGGER_DEPTH}`,
    };
  const params: Record<string, unknown> = {};
  for (const [param, path] of Object.entries(trigger.paramMapping)) {
    // A path is relative to the data, as senders know it; `$event` is the whole.
    const isWhole = path.startsWith('$event');
    const location = parseJsonLocation(
      isWhole ? `$${path.slice('$event'.length)}` : path,
      `param_mapping.${param}`,
    );
    const found = location.read(isWhole ? value : event.data);
    if (found === undefined)
      return { type: 'rejected', reason: `param_mapping.${param}: nothing is at ${path}` };
    params[param] = found;
  }
  return { type: 'accept', params, depth };
}

/** How many triggers stand behind the run an event tells of; 0 for an event from outside. */
function depthOf({ source, data }: InboundEvent): number {
  if (source !== 'run_event') return 0;
  const depth = own(own(data, 'metadata'), 'trigger_depth');
  return typeof depth === 'number' && Number.isInteger(depth) && depth > 0 ? depth : 0;
}

/** Whether an event is of the types, the handler or the domain its trigger asks for. */
function isWanted({ source, sourceConfig }: TriggerRecord, event: InboundEvent): boolean {
  if (source === 'table') {
    const { operations } = sourceConfig;
    return !Array.isArray(operations) || operations.includes(event.eventType);
  }
  const { types } = sourceConfig;
  if (Array.isArray(types) && !types.includes(event.eventType)) return false;
  const asked = source === 'run_event' ? ['kind', 'name'] : source === 'ledger' ? ['domain'] : [];
  return asked.every(
    (field) => sourceConfig[field] === undefined || sourceConfig[field] === own(event.data, field),
  );
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
