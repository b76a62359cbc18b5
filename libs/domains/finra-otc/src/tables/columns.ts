/** Dates and instants as text, so that neither a time zone nor a float touches them. */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { PlainDate } from '@spine/core';

/** A date column as YYYY-MM-DD. */
export function isoDate(column: string): RawBuilder<PlainDate> {
  return sql<PlainDate>`to_char(${sql.ref(column)}, 'YYYY-MM-DD')`;
}

/** An instant as RFC 3339 in UTC, to the microsecond: text order is time order, and Postgres reads it back exactly. */
export function isoInstant(column: string): RawBuilder<string> {
  return sql<string>`to_char(${sql.ref(column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
