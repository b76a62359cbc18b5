/** Getting to the database and the Redis that the settings name. */
import type { Settings } from '@spine/config';
import { asQueryable, createDb, createPool } from '@spine/database';
import type { Db } from '@spine/database';
import { inspectRedis } from '@spine/execution';
import type { RedisFacts } from '@spine/execution';
import { databaseOf } from '../../local/target.ts';
import { reasonOf } from '../../local/reason.ts';
import { isNoDatabase } from '../../local/schema-fault.ts';
import type { DatabaseAccess } from '../judge/server.ts';
import type { RedisAnswer } from '../judge/redis.ts';
import { passwordsIn } from '../scrub.ts';
import type { Clean } from '../scrub.ts';

/** Connections: checks run side by side, and a server that is nearly full must not be filled by who looks at it. */
const CONNECTIONS = 3;

export interface Reached {
  readonly access: DatabaseAccess;
  /** Null where there is nothing to look at. The caller destroys it. */
  readonly db: Db | null;
}

interface Limits {
  readonly timeoutMs: number;
  readonly clean: Clean;
}

/**
 * @param settings null where they cannot be used
 * @param secrets is told the passwords that only the connection string has
 */
export async function reachDatabase(
  settings: Settings | null,
  { timeoutMs, clean }: Limits,
  secrets: Set<string>,
): Promise<Reached> {
  if (settings === null) return { access: { type: 'unknown' }, db: null };
  const target = await databaseOf(settings).catch((error: unknown) => ({
    type: 'none' as const,
    why: `the embedded database cannot be looked for: ${clean(reasonOf(error))}`,
  }));
  if (target.type === 'none') return { access: target, db: null };
  const { address, connectionString } = target;
  for (const password of passwordsIn(connectionString)) secrets.add(password);
  const db = createDb(
    createPool({
      connectionString,
      role: null,
      max: CONNECTIONS,
      applicationName: 'spine-doctor',
      answerTimeoutMs: timeoutMs,
      connectTimeoutMs: timeoutMs,
    }),
  );
  const from = performance.now();
  try {
    await asQueryable(db).query({ text: 'SELECT 1' });
    const latencyMs = Math.round((performance.now() - from) * 10) / 10;
    return { access: { type: 'reached', address, latencyMs }, db };
  } catch (error) {
    await db.destroy().catch(() => undefined);
    if (isNoDatabase(error)) return { access: { type: 'missing', address }, db: null };
    return { access: { type: 'unreachable', address, why: clean(reasonOf(error)) }, db: null };
  }
}

/** @param url undefined: there is none */
export async function reachRedis(
  url: string | undefined,
  { timeoutMs, clean }: Limits,
): Promise<RedisAnswer> {
  if (url === undefined) return { type: 'none' };
  const address = `Redis ${new URL(url).host}`;
  try {
    const facts: RedisFacts = await inspectRedis({ url, timeoutMs });
    return { type: 'reached', address, facts };
  } catch (error) {
    return { type: 'unreachable', address, why: clean(reasonOf(error)) };
  }
}
