/** What travels on the event bus, and how. Pure. */
import { findJsonProblems, isJsonObject, newId, parseStrictJson, ValidationError } from '@spine/core';
import type { JsonValue, ValidationIssue } from '@spine/core';

/** What somebody says has happened. */
export interface NewBusEvent {
  /** Names of a-z 0-9 _ separated by dots, such as `quality.gate_failed`. */
  readonly type: string;
  /** Who says it. */
  readonly source: string;
  /** At most 256 KiB of JSON. Default null. */
  readonly data?: JsonValue;
}

/** The same on the bus. Handlers share it: it is frozen. */
export interface BusEvent {
  readonly eventId: string;
  readonly type: string;
  readonly source: string;
  /** By the clock of the process that published it, as ISO text in UTC. */
  readonly timestamp: string;
  readonly data: JsonValue;
}

/** An event as the API shows it. */
export interface BusEventJson {
  readonly event_id: string;
  readonly type: string;
  readonly source: string;
  readonly timestamp: string;
  readonly data: JsonValue;
}

/** Bytes of JSON that an event's data may have. */
export const MAX_EVENT_DATA_BYTES = 256 * 1024;

export const EVENT_TYPE = /^(?=.{1,128}$)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;
export const EVENT_SOURCE = /^[A-Za-z0-9_.:/@-]{1,128}$/;

function issuesOf({ type, source, data = null }: NewBusEvent): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  if (!EVENT_TYPE.test(type)) {
    const message = `given ${JSON.stringify(type.slice(0, 100))}; allowed: up to 128 characters, names of a-z 0-9 _ separated by dots`;
    issues.push({ field: 'type', code: 'invalid_event_type', message });
  }
  if (!EVENT_SOURCE.test(source)) {
    const message = `given ${JSON.stringify(source.slice(0, 100))}; allowed: 1 to 128 of A-Z a-z 0-9 _ . : / @ -`;
    issues.push({ field: 'source', code: 'invalid_event_source', message });
  }
  const problems = findJsonProblems(data).map(({ field, code, message }) => {
    const path = field === '' || field.startsWith('[') ? `data${field}` : `data.${field}`;
    return { field: path, code, message };
  });
  if (problems.length > 0) return [...issues, ...problems];
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > MAX_EVENT_DATA_BYTES) {
    const message = `has ${bytes} bytes of JSON; allowed: up to ${MAX_EVENT_DATA_BYTES}`;
    issues.push({ field: 'data', code: 'event_too_large', message });
  }
  return issues;
}

/** @throws ValidationError for what cannot travel, field by field. */
export function toBusEvent(event: NewBusEvent, now: Date): BusEvent {
  const issues = issuesOf(event);
  if (issues.length > 0) {
    throw new ValidationError(issues.map(({ field, message }) => `${field}: ${message}`).join('\n'), {
      issues,
    });
  }
  const { type, source, data = null } = event;
  // A copy: what the publisher does with its object later is not what was said.
  const copy = JSON.parse(JSON.stringify(data)) as JsonValue;
  return freeze({ eventId: newId(), type, source, timestamp: now.toISOString(), data: copy });
}

export function toBusEventJson({ eventId, type, source, timestamp, data }: BusEvent): BusEventJson {
  return { event_id: eventId, type, source, timestamp, data };
}

export function encodeEvent(event: BusEvent): string {
  return JSON.stringify(toBusEventJson(event));
}

/** Null for what Spine did not write: others may use the channel's name too. */
export function decodeEvent(text: string): BusEvent | null {
  const parsed = parseStrictJson(text, { maxDepth: 66 });
  if (!parsed.ok || !isJsonObject(parsed.value)) return null;
  const { event_id: eventId, type, source, timestamp, data } = parsed.value;
  if (typeof eventId !== 'string' || typeof timestamp !== 'string' || data === undefined) return null;
  if (typeof type !== 'string' || !EVENT_TYPE.test(type)) return null;
  if (typeof source !== 'string' || !EVENT_SOURCE.test(source)) return null;
  return freeze({ eventId, type, source, timestamp, data });
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
