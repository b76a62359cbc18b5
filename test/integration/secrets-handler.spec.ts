/** Secrets in handlers: the worker service asks its backends, and what is kept of a run holds none. */
import { z } from 'zod';
import { openProcessSettings } from '@spine/config';
import { taskSpec } from '@spine/execution';
import type { HandlerContext, HandlerRegistry } from '@spine/execution';
import type { RunningService } from '@spine/observability';
import { startWorker } from '@spine/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const VALUE = 'correct horse battery staple';
/** Asks for a secret, and prints it in every way it might by mistake. */
async function login(name: string, ctx: HandlerContext) {
  const secret = await ctx.secret(name);
  ctx.log.info({ secret }, `logs in with ${secret}`);
  await ctx.event('login', { secret });
  return { given: secret.reveal() === VALUE, secret };
}

function register(registry: HandlerRegistry): HandlerRegistry {
  return registry
    .registerTask('login', { description: 'Logs in.', params: z.strictObject({}) }, (_, ctx) =>
      login('feed_key', ctx),
    )
    .registerTask('stranger', { description: 'Knows no key.', params: z.strictObject({}) }, (_, ctx) =>
      login('no_such_key', ctx),
    );
}

let bed: Bed;
let service: RunningService;
beforeAll(async () => {
  bed = await openBed({ queue: 'postgres', register });
  const { settings, secrets } = await openProcessSettings({
    role: 'worker',
    cwd: import.meta.dirname,
    home: import.meta.dirname,
    env: {
      SPINE_DATABASE_URL: bed.databaseUrl,
      SPINE_LANES: 'service',
      SPINE_LOG_LEVEL: 'silent',
      SPINE_SECRET_FEED_KEY: VALUE,
    },
  });
  service = await startWorker(settings, { moreHandlers: register, secrets });
  await bed.engine.capacity.refresh();
});
afterAll(async () => {
  await service.stop();
  await bed.close();
});

describe('ctx.secret', () => {
  it('gives the secret of a name, and nothing that is kept of the run shows it', async () => {
    const runId = await bed.submit(taskSpec('login', {}, { lane: 'service' }));
    expect((await bed.reach(runId, 'completed')).result).toEqual({ given: true, secret: '[REDACTED]' });
    const { rows } = await bed.admin.query(
      `SELECT (SELECT count(*)::int FROM run_logs WHERE run_id = $1 AND message LIKE '%[REDACTED]%') AS lines,
         (SELECT count(*)::int FROM run_events e WHERE run_id = $1 AND e::text LIKE $2)
           + (SELECT count(*)::int FROM run_logs l WHERE run_id = $1 AND l::text LIKE $2) AS leaks`,
      [runId, `%${VALUE}%`],
    );
    expect(rows).toEqual([{ lines: 1, leaks: 0 }]);
  });

  it('that is not there ends the run for good, by its name', async () => {
    const runId = await bed.submit(taskSpec('stranger', {}, { lane: 'service' }));
    expect((await bed.reach(runId, 'dead_lettered')).error).toMatchObject({
      type: 'MissingSecretError',
      message: 'secret no_such_key: not in any of env, file',
    });
  });

  it('of a worker without secrets says so', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(taskSpec('login', {}, { lane }));
    expect((await bed.reach(runId, 'dead_lettered')).error).toMatchObject({
      type: 'ConfigError',
      message: 'secret feed_key: the executor of this run was given no secrets',
    });
  });
});
