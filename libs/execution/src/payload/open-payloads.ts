import type { Queryable } from '@spine/database';
import { DirectoryPayloadStore } from './directory-store.ts';
import { DEFAULT_PAYLOAD_LIMITS, Payloads } from './payloads.ts';
import type { PayloadLimits } from './payloads.ts';
import { PostgresPayloadStore } from './postgres-store.ts';

export interface PayloadOptions extends Partial<PayloadLimits> {
  /** The folder large payloads are written to. Default: none, they are in Postgres. */
  readonly dir?: string | undefined;
}

/** The payloads of a process. @throws ConfigError for a folder that cannot be used. */
export async function openPayloads(db: Queryable, options: PayloadOptions = {}): Promise<Payloads> {
  const { dir, ...given } = options;
  const limits = { ...DEFAULT_PAYLOAD_LIMITS, ...given };
  const postgres = new PostgresPayloadStore(db);
  if (dir === undefined) return new Payloads(limits, postgres);
  return new Payloads(limits, await DirectoryPayloadStore.open(dir), [postgres]);
}
