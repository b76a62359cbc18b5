/** From where on something is worth saying. */
export const DOCTOR_LIMITS = {
  /** What the packages ask for: `engines` in package.json. */
  nodeVersion: [22, 12],
  /** As `server_version_num`: Postgres 15. */
  postgresVersion: 150_000,
  /** BullMQ refuses older ones than the first, and advises against older ones than the second. */
  redisVersion: { least: [5, 0], advised: [6, 2] },
  /** As the scheduler warns of: further apart, times in logs cannot be compared. */
  driftMs: 5_000,
  /** A transaction that is open for longer keeps vacuum from removing what is dead since. */
  transactionSeconds: 300,
  /** Of Redis, for one PING. */
  latencyMs: 50,
  /** Of Redis' maxmemory: with noeviction it then refuses writes. */
  memoryShare: { warning: 0.8, error: 0.95 },
  /** The reaper takes an expired lease within seconds. */
  leaseMs: 60_000,
  /** A due run that has waited for longer waits for more than a poll. */
  waitingMs: 300_000,
  /** Work that nobody could start, and workflows that nobody advances. */
  unservedMs: 60_000,
  workflowMs: 60_000,
  /** The sweep goes through all places within minutes. */
  holdsMs: 900_000,
} as const;
