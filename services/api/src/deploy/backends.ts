/** What a deployment stands on: whether it answers, how fast, and the settings that decide what Spine can promise. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Settings } from '@spine/config';
import { newRunId } from '@spine/core';
import { inspectServer } from '@spine/database';
import type { ServerFacts } from '@spine/database';
import { inspectRedis } from '@spine/execution';
import type { Engine, RedisFacts } from '@spine/execution';
import type { BackendJson } from './deploy.schemas.ts';

const LIMIT_MS = 2_000;

type Problems = BackendJson['problems'];

/** Never rejects: what does not answer in time is down. Why is for the log, whose readers may know where it is. */
async function looked(
  of: Pick<BackendJson, 'backend' | 'role'>,
  engine: Pick<Engine, 'logger'>,
  look: () => Promise<Pick<BackendJson, 'version' | 'latency_ms' | 'settings' | 'problems'>>,
): Promise<BackendJson> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    return { ...of, status: 'up', ...(await Promise.race([look(), late])) };
  } catch (error) {
    engine.logger.warn({ err: error, backend: of.backend }, 'a backend does not answer');
    const problems = [{ code: 'no_answer', message: 'it does not answer; the log of the API says why' }];
    return { ...of, status: 'down', version: null, latency_ms: null, settings: [], problems };
  } finally {
    clearTimeout(timer);
  }
}

async function timed<T>(ask: () => Promise<T>): Promise<{ readonly value: T; readonly latency_ms: number }> {
  const from = performance.now();
  const value = await ask();
  return { value, latency_ms: Math.round((performance.now() - from) * 1_000) / 1_000 };
}

function postgresProblems(facts: ServerFacts): Problems {
  const off = (value: string): boolean => value === 'off';
  return [
    ...(off(facts.fsync) || off(facts.fullPageWrites)
      ? [
          {
            code: 'not_durable',
            message: 'a crash may lose or damage the database; set fsync and full_page_writes to on',
          },
        ]
      : []),
    ...(off(facts.synchronousCommit)
      ? [
          {
            code: 'commits_may_be_lost',
            message: 'a crash may lose what was answered; set synchronous_commit to on',
          },
        ]
      : []),
    ...(off(facts.autovacuum)
      ? [{ code: 'no_autovacuum', message: 'dead rows pile up; set autovacuum to on' }]
      : []),
    ...(facts.inRecovery ? [{ code: 'standby', message: 'it takes no writes; connect to the primary' }] : []),
  ];
}

function redisProblems(facts: RedisFacts): Problems {
  return [
    ...(facts.maxmemoryPolicy === null || facts.maxmemoryPolicy === 'noeviction'
      ? []
      : [
          {
            code: 'evicts',
            message: 'it throws hints away when memory is short; set maxmemory-policy to noeviction',
          },
        ]),
    ...(facts.role === 'slave'
      ? [{ code: 'replica', message: 'it takes no writes; connect to the master' }]
      : []),
    ...(facts.lastSaveWorked
      ? []
      : [{ code: 'save_failed', message: 'it could not save its data; look at its disk' }]),
  ];
}

function postgresOf(engine: Engine): Promise<BackendJson> {
  const of = { backend: 'postgres', role: 'the truth: runs, events, the ledger' } as const;
  return looked(of, engine, async () => {
    const { value, latency_ms } = await timed(() => inspectServer(engine.pool));
    const settings = [
      { name: 'synchronous_commit', value: value.synchronousCommit },
      { name: 'fsync', value: value.fsync },
      { name: 'full_page_writes', value: value.fullPageWrites },
      { name: 'autovacuum', value: value.autovacuum },
    ];
    return { version: value.version, latency_ms, settings, problems: postgresProblems(value) };
  });
}

function redisOf(engine: Engine, url: string): Promise<BackendJson> {
  const of = { backend: 'redis', role: 'hints of the queue, rate limits, events between processes' } as const;
  return looked(of, engine, async () => {
    const facts = await inspectRedis({ url, timeoutMs: LIMIT_MS });
    const settings = [
      { name: 'maxmemory-policy', value: facts.maxmemoryPolicy ?? 'not told' },
      { name: 'maxmemory', value: String(facts.maxmemoryBytes) },
      { name: 'appendonly', value: facts.appendOnly ? 'yes' : 'no' },
    ];
    return { version: facts.version, latency_ms: facts.latencyMs, settings, problems: redisProblems(facts) };
  });
}

function payloadsOf(engine: Engine, dir: string | undefined): Promise<BackendJson> {
  const of = { backend: 'payloads', role: 'params and results too large for their run' } as const;
  return looked(of, engine, async () => {
    const [store] = engine.payloads.stores;
    // Of a run that there is not: whether the store answers, not what it has.
    const { latency_ms } = await timed(async () => {
      await store?.get({ runId: newRunId(), slot: 'params' });
      if (dir !== undefined) await access(dir, constants.R_OK | constants.W_OK);
    });
    const { inlineBytes, maxBytes } = engine.payloads.limits;
    const settings = [
      { name: 'store', value: dir === undefined ? 'postgres' : 'folder' },
      { name: 'inline_bytes', value: String(inlineBytes) },
      { name: 'max_bytes', value: String(maxBytes) },
    ];
    return { version: null, latency_ms, settings, problems: [] };
  });
}

export function lookAtBackends(engine: Engine, settings: Settings<'api'>): Promise<BackendJson[]> {
  const redisUrl = settings.redis.url?.reveal();
  return Promise.all([
    postgresOf(engine),
    ...(redisUrl === undefined ? [] : [redisOf(engine, redisUrl)]),
    payloadsOf(engine, settings.payloads.dir),
  ]);
}
