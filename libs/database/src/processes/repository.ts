/**
 * Which processes of the API and the scheduler there are, by the database's clock; workers have a table of their own. The one
 * owner of `service_processes`.
 */
import type { Queryable } from '../sql/pool.ts';

export type ServiceName = 'api' | 'scheduler';

export interface ProcessRegistration {
  readonly processId: string;
  readonly service: ServiceName;
  readonly hostname: string;
  readonly pid: number;
  readonly version: string;
}

export interface ServiceProcess extends ProcessRegistration {
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
}

/** A process that has not been heard of for this long does not count as live. */
export const PROCESS_LIVE_SECONDS = 30;
/** Processes listed, at the most. */
export const PROCESS_LIMIT = 1_000;
/** Those silent for longer are forgotten when another one starts. */
const FORGOTTEN_AFTER = `interval '1 day'`;

/** Says that the process is there; the first time, and again and again. */
export async function beatProcess(db: Queryable, process: ProcessRegistration): Promise<void> {
  const { rows } = await db.query<{ is_new: boolean }>({
    text: `INSERT INTO service_processes (process_id, service, hostname, pid, version)
VALUES ($1::uuid, $2, $3, $4, $5)
ON CONFLICT (process_id) DO UPDATE SET last_seen_at = now(), stopped_at = NULL
RETURNING last_seen_at = started_at AS is_new`,
    values: [process.processId, process.service, process.hostname, process.pid, process.version],
  });
  if (rows[0]?.is_new !== true) return;
  await db.query({
    text: `DELETE FROM service_processes WHERE last_seen_at < now() - ${FORGOTTEN_AFTER} RETURNING process_id`,
  });
}

/** Says that it ends. */
export async function endProcess(db: Queryable, processId: string): Promise<void> {
  await db.query({
    text: `UPDATE service_processes SET stopped_at = now(), last_seen_at = now() WHERE process_id = $1::uuid AND stopped_at IS NULL`,
    values: [processId],
  });
}

interface ProcessRow {
  process_id: string;
  service: ServiceName;
  hostname: string;
  pid: number;
  version: string;
  started_at: Date;
  last_seen_at: Date;
}

/** The live ones, those started first first, at most {@link PROCESS_LIMIT}. */
export async function liveProcesses(db: Queryable): Promise<ServiceProcess[]> {
  const { rows } = await db.query<ProcessRow>({
    text: `SELECT process_id, service, hostname, pid, version, started_at, last_seen_at FROM service_processes
WHERE stopped_at IS NULL AND last_seen_at > now() - interval '${PROCESS_LIVE_SECONDS} seconds'
ORDER BY started_at, process_id LIMIT ${PROCESS_LIMIT}`,
  });
  return rows.map((row) => ({
    processId: row.process_id,
    service: row.service,
    hostname: row.hostname,
    pid: row.pid,
    version: row.version,
    startedAt: row.started_at,
    lastSeenAt: row.last_seen_at,
  }));
}
