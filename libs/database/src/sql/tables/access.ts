import type { Scope } from '@spine/core';
import type { ColumnType, GeneratedAlways } from 'kysely';

type Json = ColumnType<unknown, string, never>;
type WithDefault = ColumnType<Date, Date | string | undefined, never>;

interface ApiKeysTable {
  key_id: string;
  name: string;
  scopes: Scope[];
  namespace: string | null;
  secret_hash: Buffer;
  previous_hash: Buffer | null;
  previous_until: Date | null;
  created_at: WithDefault;
  created_by: string;
  expires_at: Date | null;
  rotated_at: Date | null;
  revoked_at: Date | null;
  revoked_by: string | null;
  last_used_at: Date | null;
}

interface AuditLogTable {
  audit_id: GeneratedAlways<number>;
  at: WithDefault;
  principal_type: 'local' | 'static' | 'key';
  principal_id: string;
  principal_name: string;
  namespace: string | null;
  method: string;
  route: string;
  targets: Json;
  target: string | null;
  status: number | null;
  request_id: string;
  remote_address: string;
  before: ColumnType<unknown, string | null, never>;
  after: ColumnType<unknown, string | null, never>;
  ended_at: Date | null;
  process: string | null;
  request: ColumnType<unknown, string | null, never>;
  touched: number | null;
}

/** Keys of the API and what was changed by whom: migrations 0022 and 0030. */
export interface AccessTables {
  api_keys: ApiKeysTable;
  audit_log: AuditLogTable;
}
