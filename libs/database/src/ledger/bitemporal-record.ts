import type { JsonValue } from '@spine/core';
import type { Selectable } from 'kysely';
import type { Database } from '../sql/schema.ts';

/** Where a value comes from: the envelope's clocks, the capture, the run. */
export interface FactSource {
  readonly runId: string;
  readonly batchId?: string | null;
  /** Names the capture that the value traces to. */
  readonly captureId?: string | null;
  /** SHA-256 of what the source said, 64 hex digits. */
  readonly sourceHash?: string | null;
  readonly eventTime?: Date | null;
  readonly publishTime?: Date | null;
  /** Default: the database's now. */
  readonly ingestTime?: Date;
}

/** One row of `bitemporal_facts`: what was believed about an interval for an interval. */
export interface Fact extends Required<FactSource> {
  readonly factId: number;
  readonly domain: string;
  readonly factKey: string;
  /** Which change of the key appended it, from 1. */
  readonly version: number;
  readonly validFrom: Date;
  readonly validTo: Date | null;
  readonly systemFrom: Date;
  /** Null: believed now. */
  readonly systemTo: Date | null;
  readonly value: JsonValue;
  readonly valueHash: string;
}

export const FACT_COLUMNS = [
  'fact_id',
  'domain',
  'fact_key',
  'version',
  'valid_from',
  'valid_to',
  'system_from',
  'system_to',
  'value',
  'value_hash',
  'source_hash',
  'event_time',
  'publish_time',
  'ingest_time',
  'run_id',
  'batch_id',
  'capture_id',
] as const;

export type FactRow = Pick<Selectable<Database['bitemporal_facts']>, (typeof FACT_COLUMNS)[number]>;

export function toFact(row: FactRow): Fact {
  return {
    factId: row.fact_id,
    domain: row.domain,
    factKey: row.fact_key,
    version: row.version,
    validFrom: row.valid_from,
    validTo: row.valid_to,
    systemFrom: row.system_from,
    systemTo: row.system_to,
    value: row.value as JsonValue,
    valueHash: row.value_hash,
    sourceHash: row.source_hash,
    eventTime: row.event_time,
    publishTime: row.publish_time,
    ingestTime: row.ingest_time,
    runId: row.run_id,
    batchId: row.batch_id,
    captureId: row.capture_id,
  };
}
