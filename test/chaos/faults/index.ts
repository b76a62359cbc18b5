/** Every fault, by name: a closed table. */
import { apiKillAfterCommit } from './api-kill-after-commit.ts';
import { clockSkew } from './clock-skew.ts';
import { workerWithoutPostgres, workerWithoutRedis } from './cut-off.ts';
import type { Fault } from './fault.ts';
import { hugePayload, ignoresAbort } from './handlers.ts';
import { payloadDiskFull } from './payload-disk-full.ts';
import { connectionsExhausted, postgresRestart } from './postgres.ts';
import { deploy, outOfMemory, poison, workerKill, zombie } from './processes.ts';
import { duplicateHints, redisEviction, redisFlush, redisRestartEmpty, redisStop } from './redis.ts';

export const FAULTS = {
  'worker-kill': workerKill,
  'api-kill-after-commit': apiKillAfterCommit,
  'redis-flush': redisFlush,
  'redis-restart-empty': redisRestartEmpty,
  'redis-stop': redisStop,
  'redis-eviction': redisEviction,
  'duplicate-hints': duplicateHints,
  'postgres-restart': postgresRestart,
  'connections-exhausted': connectionsExhausted,
  'worker-without-postgres': workerWithoutPostgres,
  'worker-without-redis': workerWithoutRedis,
  'clock-skew': clockSkew,
  zombie,
  deploy,
  'out-of-memory': outOfMemory,
  poison,
  'ignores-abort': ignoresAbort,
  'huge-payload': hugePayload,
  'payload-disk-full': payloadDiskFull,
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

export function faultOf(name: FaultName): Fault {
  return FAULTS[name];
}

export function isFaultName(text: string): text is FaultName {
  return Object.hasOwn(FAULTS, text);
}
