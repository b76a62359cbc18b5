/** What the facts of Redis mean. Postgres is the truth: what Redis loses is work that comes later, not work that is lost. */
import { assertNever } from '@spine/core';
import type { RedisFacts } from '@spine/execution';
import { findingsOf } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { DOCTOR_LIMITS } from './limits.ts';
import { isAtLeast, versionParts } from './version.ts';

const { ok, info, warning, error } = findingsOf('redis');

export type RedisAnswer =
  /** The queue runs on Postgres. */
  | { readonly type: 'none' }
  /** The settings that would name it cannot be used. */
  | { readonly type: 'unknown' }
  | { readonly type: 'unreachable'; readonly address: string; readonly why: string }
  | { readonly type: 'reached'; readonly address: string; readonly facts: RedisFacts };

export function judgeRedis(answer: RedisAnswer): Finding[] {
  switch (answer.type) {
    case 'none':
      return [
        info('redis_reachable', {
          message: 'no Redis is configured: the queue runs on Postgres',
          measured: { address: null },
        }),
      ];
    case 'unknown':
      return [
        error(
          'redis_reachable',
          { message: 'not looked at: the settings cannot be used', measured: { address: null } },
          'correct the settings first',
        ),
      ];
    case 'unreachable':
      return [
        error(
          'redis_reachable',
          { message: `${answer.address}: ${answer.why}`, measured: { address: answer.address } },
          'start that Redis, name another in SPINE_REDIS_URL, or leave it out: the queue then runs on Postgres',
        ),
      ];
    case 'reached': {
      const { address, facts } = answer;
      return [
        ok('redis_reachable', { message: `${address} answers`, measured: { address } }),
        judgeVersion(facts),
        judgePolicy(facts),
        judgePersistence(facts),
        judgeMemory(facts),
        judgeLatency(facts),
        ...judgeRole(facts),
        judgeClock(facts),
      ];
    }
    default:
      return assertNever(answer);
  }
}

function judgeVersion({ version }: RedisFacts): Finding {
  const measured = { version };
  const parts = version === null ? null : versionParts(version);
  const { least, advised } = DOCTOR_LIMITS.redisVersion;
  if (parts === null) {
    return info('redis_version', { message: 'the server does not say its version', measured });
  }
  if (!isAtLeast(parts, least)) {
    const message = `Redis ${version} is too old for the queue`;
    return error('redis_version', { message, measured }, 'upgrade to Redis 7');
  }
  if (!isAtLeast(parts, advised)) {
    const message = `Redis ${version} is older than the queue is made for`;
    return warning('redis_version', { message, measured }, 'upgrade to Redis 7');
  }
  return ok('redis_version', { message: `Redis ${version}`, measured });
}

function judgePolicy({ maxmemoryPolicy }: RedisFacts): Finding {
  const measured = { maxmemory_policy: maxmemoryPolicy };
  if (maxmemoryPolicy === 'noeviction') {
    return ok('redis_policy', { message: 'nothing is evicted', measured });
  }
  if (maxmemoryPolicy === null) {
    return info(
      'redis_policy',
      { message: 'the server does not say its maxmemory-policy', measured },
      'make sure that it is noeviction',
    );
  }
  return error(
    'redis_policy',
    { message: `maxmemory-policy is ${maxmemoryPolicy}: keys of the queue may vanish`, measured },
    'redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf',
  );
}

function judgePersistence({ appendOnly, snapshots, lastSaveWorked }: RedisFacts): Finding {
  const measured = { append_only: appendOnly, snapshots, last_save_worked: lastSaveWorked };
  if (!lastSaveWorked) {
    return error(
      'redis_persistence',
      { message: 'the last write to its disk has failed', measured },
      "look at Redis' log and its disk",
    );
  }
  if (appendOnly) return ok('redis_persistence', { message: 'it keeps a log (AOF)', measured });
  if (snapshots === null) {
    return info('redis_persistence', { message: 'no log (AOF); of snapshots it does not tell', measured });
  }
  return warning(
    'redis_persistence',
    {
      message: `${snapshots ? 'only snapshots are' : 'nothing is'} kept: after its restart hints come again from Postgres, later`,
      measured,
    },
    'redis-cli CONFIG SET appendonly yes, and the same in redis.conf',
  );
}

function judgeMemory({ usedMemoryBytes, maxmemoryBytes }: RedisFacts): Finding {
  const measured = { used_memory_bytes: usedMemoryBytes, maxmemory_bytes: maxmemoryBytes };
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  const { memoryShare } = DOCTOR_LIMITS;
  if (maxmemoryBytes === 0 || usedMemoryBytes < memoryShare.warning * maxmemoryBytes) {
    const limit = maxmemoryBytes === 0 ? 'without a limit' : `of ${mib(maxmemoryBytes)}`;
    return ok('redis_memory', { message: `${mib(usedMemoryBytes)} used, ${limit}`, measured });
  }
  const severity = usedMemoryBytes < memoryShare.error * maxmemoryBytes ? warning : error;
  return severity(
    'redis_memory',
    {
      message: `${mib(usedMemoryBytes)} of ${mib(maxmemoryBytes)} used: when full, it refuses hints`,
      measured,
    },
    'raise maxmemory, or look what else is kept there',
  );
}

function judgeLatency({ latencyMs }: RedisFacts): Finding {
  const measured = { latency_ms: latencyMs };
  return latencyMs <= DOCTOR_LIMITS.latencyMs
    ? ok('redis_latency', { message: `it answers in ${latencyMs} ms`, measured })
    : warning(
        'redis_latency',
        { message: `it answers in ${latencyMs} ms`, measured },
        'look at its load (redis-cli SLOWLOG GET), and how far away it is',
      );
}

function judgeRole({ role, isLoading }: RedisFacts): Finding[] {
  if (isLoading) {
    const message = 'it is reading its data in, and refuses commands until then';
    return [warning('redis_role', { message, measured: { role, loading: true } }, 'wait')];
  }
  if (role !== 'slave') return [];
  const message = 'it is a replica, which takes no writes';
  return [
    error(
      'redis_role',
      { message, measured: { role, loading: false } },
      'name its master in SPINE_REDIS_URL',
    ),
  ];
}

function judgeClock({ driftMs }: RedisFacts): Finding {
  const measured = { drift_ms: driftMs };
  return Math.abs(driftMs) <= DOCTOR_LIMITS.driftMs
    ? ok('redis_clock', { message: `this machine's clock is ${driftMs} ms from Redis'`, measured })
    : warning(
        'redis_clock',
        {
          message: `this machine's clock is ${driftMs} ms from Redis': delayed hints come early or late`,
          measured,
        },
        'look after the time service (NTP) of both machines',
      );
}
