/**
 * Writing facts on two time axes (`bitemporal_facts`).
 *
 * 1. The row of `bitemporal_keys` is locked before anything of its key is read: those who supersede one key go one after
 *    another, and each sees what the one before has written. Different keys never meet.
 * 2. System time is given under that lock, by the database's clock, and grows with every change of a key: also when the
 *    clock stands still or goes back. It is in whole milliseconds, which a Date holds.
 * 3. A fact is closed once and is otherwise never written again; closing and appending commit together.
 * 4. What a lock would miss, the exclusion constraint refuses: two beliefs about one instant of a key.
 */
import { sql } from 'kysely';
import {
  ConflictError,
  hashJson,
  InvariantError,
  isStorableText,
  planSupersede,
  ValidationError,
} from '@spine/core';
import type { BiTemporalRecord, Interval, JsonValue, Remainder } from '@spine/core';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { FACT_COLUMNS, toFact } from './bitemporal-record.ts';
import type { Fact, FactSource } from './bitemporal-record.ts';

export const FACT_LIMITS = { domainLength: 200, keyLength: 500 } as const;

interface FactTarget {
  readonly domain: string;
  /** What the fact is about, e.g. `AAPL:eps_diluted`; 1 to 500 characters. */
  readonly factKey: string;
  readonly valid: Interval;
  /** Writes only when this many changes of the key came before; default: whatever came before. */
  readonly expectedVersion?: number;
}

export type FactChange =
  /** From now on `value` is believed of the interval. Money goes in as decimal text: JSON numbers are floats. */
  | (FactTarget & { readonly type: 'assert'; readonly value: JsonValue; readonly source: FactSource })
  /** From now on nothing is believed of the interval. */
  | (FactTarget & { readonly type: 'retract' });

export type FactOutcome =
  | {
      readonly type: 'superseded';
      readonly version: number;
      /** The system time of the change. */
      readonly systemAt: Date;
      readonly closed: number;
      readonly appended: readonly Fact[];
    }
  /** Exactly that was believed already; nothing was written. */
  | { readonly type: 'unchanged'; readonly version: number }
  /** Somebody else changed the key since `expectedVersion`; nothing was written. */
  | { readonly type: 'conflict'; readonly expectedVersion: number; readonly version: number };

/** What the planner sees of a fact: values are the same when their hashes are. */
interface Believed extends BiTemporalRecord<string> {
  readonly fact: Fact;
}

/**
 * Makes a change believed: closes what it contradicts, keeps what is left of that outside the interval, appends the
 * rest. In a transaction the key stays locked until its end: who changes several keys in one, goes through them in the
 * same order as everybody else.
 *
 * @throws ValidationError for a key or value that cannot be stored.
 * @throws ConflictError when a writer that did not take the lock was there at the same time; then nothing was written.
 */
export async function supersedeFact(db: Db | DbTransaction, change: FactChange): Promise<FactOutcome> {
  checkName('domain', change.domain, FACT_LIMITS.domainLength);
  checkName('fact_key', change.factKey, FACT_LIMITS.keyLength);
  const hash = change.type === 'assert' ? hashJson(change.value) : null;
  try {
    return await atomically(db, (trx) => supersedeLocked(trx, change, hash));
  } catch (error) {
    if (!isExclusionViolation(error)) throw error;
    throw new ConflictError(
      `fact_key: ${change.factKey} of ${change.domain} was changed beside this change; try again`,
      {
        cause: error,
      },
    );
  }
}

async function supersedeLocked(
  trx: Db | DbTransaction,
  change: FactChange,
  hash: string | null,
): Promise<FactOutcome> {
  const { domain, factKey, expectedVersion, valid } = change;
  const { version } = await lockKey(trx, domain, factKey);
  if (expectedVersion !== undefined && expectedVersion !== version) {
    return { type: 'conflict', expectedVersion, version };
  }
  const current = await currentFacts(trx, domain, factKey, valid);
  const plan = planSupersede<string, Believed>(
    current.map((fact) => ({ ...fact, payload: fact.valueHash, fact })),
    hash === null ? { type: 'retract', valid } : { type: 'assert', valid, payload: hash },
    Object.is,
  );
  if (plan.type === 'unchanged') return { type: 'unchanged', version };
  const head = await trx
    .updateTable('bitemporal_keys')
    .set({
      version: sql<number>`version + 1`,
      system_at: sql<Date>`GREATEST(date_trunc('milliseconds', clock_timestamp()), system_at + interval '1 millisecond')`,
    })
    .where('domain', '=', domain)
    .where('fact_key', '=', factKey)
    .returning(['version', 'system_at'])
    .executeTakeFirstOrThrow();
  await close(
    trx,
    plan.close.map(({ fact }) => fact.factId),
    head.system_at,
  );
  const rows = plan.append.map((part) => ({
    domain,
    fact_key: factKey,
    version: head.version,
    valid_from: part.valid.from,
    valid_to: part.valid.to,
    system_from: head.system_at,
    system_to: null,
    ...columnsOf(part, change),
  }));
  const appended =
    rows.length === 0
      ? []
      : await trx
          .insertInto('bitemporal_facts')
          .values(rows)
          .returning([...FACT_COLUMNS])
          .execute();
  return {
    type: 'superseded',
    version: head.version,
    systemAt: head.system_at,
    closed: plan.close.length,
    appended: appended.map(toFact),
  };
}

/** The head of the key, held until the transaction ends. A new key is at version 0. */
async function lockKey(
  trx: Db | DbTransaction,
  domain: string,
  factKey: string,
): Promise<{ version: number }> {
  return trx
    .insertInto('bitemporal_keys')
    .values({ domain, fact_key: factKey, system_at: new Date(0) })
    .onConflict((conflict) =>
      conflict.columns(['domain', 'fact_key']).doUpdateSet({ version: sql<number>`bitemporal_keys.version` }),
    )
    .returning('version')
    .executeTakeFirstOrThrow();
}

async function currentFacts(
  trx: Db | DbTransaction,
  domain: string,
  factKey: string,
  { from, to }: Interval,
): Promise<Fact[]> {
  let query = trx
    .selectFrom('bitemporal_facts')
    .select([...FACT_COLUMNS])
    .where('domain', '=', domain)
    .where('fact_key', '=', factKey)
    .where('system_to', 'is', null)
    .where((eb) => eb.or([eb('valid_to', 'is', null), eb('valid_to', '>', from)]));
  if (to !== null) query = query.where('valid_from', '<', to);
  return (await query.orderBy('valid_from').execute()).map(toFact);
}

async function close(trx: Db | DbTransaction, factIds: readonly number[], at: Date): Promise<void> {
  if (factIds.length === 0) return;
  const closed = await trx
    .updateTable('bitemporal_facts')
    .set({ system_to: at })
    .where('fact_id', 'in', [...factIds])
    .where('system_to', 'is', null)
    .returning('fact_id')
    .execute();
  if (closed.length !== factIds.length) {
    throw new InvariantError(
      `closed ${closed.length} facts of ${factIds.length} under the lock of their key`,
    );
  }
}

/** What is kept keeps where it came from; what is asserted says where it comes from. */
function columnsOf(part: Remainder<string, Believed>, change: FactChange) {
  if (part.type === 'asserted' && change.type === 'assert') {
    return {
      value: JSON.stringify(change.value),
      value_hash: part.payload,
      ...sourceColumns(change.source),
      ingest_time: change.source.ingestTime ?? sql<Date>`now()`,
    };
  }
  if (part.type === 'asserted') throw new InvariantError('a retraction asserts nothing');
  const { fact } = part.of;
  return {
    value: JSON.stringify(fact.value),
    value_hash: fact.valueHash,
    ...sourceColumns(fact),
    ingest_time: fact.ingestTime,
  };
}

function sourceColumns(source: FactSource) {
  return {
    source_hash: source.sourceHash ?? null,
    event_time: source.eventTime ?? null,
    publish_time: source.publishTime ?? null,
    run_id: source.runId,
    batch_id: source.batchId ?? null,
    capture_id: source.captureId ?? null,
  };
}

function checkName(field: string, value: string, maxLength: number): void {
  if (value.length >= 1 && value.length <= maxLength && isStorableText(value)) return;
  const message = `given ${value.length} characters; allowed: 1 to ${maxLength} without NUL and lone surrogates`;
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'invalid_text', message }] });
}

function isExclusionViolation(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === '23P01';
}
