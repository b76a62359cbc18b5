/** `spine doctor --fix` against real faults: what it puts right, what it asks, and what it leaves to a person. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { databaseExists, pauseLane } from '@spine/database';
import { startRedisServer } from '@spine/testing';
import { spine, startSpine } from './cli-support.ts';
import type { Ended } from './cli-support.ts';
import { claimed, openEngineDatabase, shift } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

interface Repaired {
  readonly status: string;
  readonly findings: readonly {
    readonly id: string;
    readonly severity: string;
    readonly remedy: string | null;
  }[];
  readonly fixes: readonly { readonly remedy: string; readonly outcome: string; readonly message: string }[];
}

const CANARY = 'canary-5b1c77';

let database: EngineDatabase;
let folder: string;
beforeAll(async () => {
  database = await openEngineDatabase();
  folder = mkdtempSync(join(tmpdir(), 'spine-doctor-fix-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.close();
});

const place = (env: Readonly<Record<string, string>> = {}) => ({
  url: 'http://127.0.0.1:9',
  cwd: folder,
  env: { SPINE_DATABASE_URL: database.connectionString, NO_COLOR: '1', ...env },
});

const doctor = (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> =>
  spine(['doctor', ...args], place(env));

async function fixed(args: readonly string[], env?: Readonly<Record<string, string>>) {
  const { code, out } = await doctor([...args, '--fix', '--yes', '--json'], env);
  return { code, text: out, ...(JSON.parse(out) as Repaired) };
}

/** A run whose worker is gone, and a place that a run of before has left. @returns the run */
async function leaveWork(): Promise<string> {
  const { runId } = await claimed(database.pool);
  await shift(database.admin, [runId], 'lease_expires_at', '-2 minutes');
  await database.admin.query(
    `INSERT INTO concurrency_holds (key, run_id, epoch, claimed_at) VALUES ('left', $1, 1, now() - interval '1 hour')`,
    [newId()],
  );
  return runId;
}

async function left(runId: string): Promise<{ status: string; holds: number }> {
  const { rows } = await database.admin.query<{ status: string; holds: number }>(
    'SELECT status, (SELECT count(*)::int FROM concurrency_holds) AS holds FROM runs WHERE id = $1',
    [runId],
  );
  return rows[0] ?? { status: 'gone', holds: -1 };
}

describe('work that was left', () => {
  beforeEach(() => database.clear());

  it('is taken up without a question by --yes, and nothing is done where nobody can be asked', async () => {
    const runId = await leaveWork();
    const told = await doctor(['--only', 'work']);
    expect(told.code).toBe(1);
    expect(told.out).toMatch(/fix: start a scheduler.* \(or spine doctor --fix\)/);
    const unasked = await doctor(['--only', 'work', '--fix']);
    expect(unasked.code).toBe(2);
    expect(unasked.problem).toContain('Take the runs back that workers hold which are gone?');
    expect((await doctor(['--only', 'work', '--yes'])).problem).toContain('--yes goes with --fix');
    expect(await left(runId)).toEqual({ status: 'running', holds: 1 });

    // What a person has to decide is told again.
    await pauseLane(database.pool, 'quiet', 'ann', null);
    const { code, fixes, findings } = await fixed(['--only', 'work']);
    expect(fixes).toEqual([
      expect.objectContaining({ remedy: 'take_runs_back', outcome: 'done', findings: ['work_leases'] }),
      expect.objectContaining({ remedy: 'remove_left_places', outcome: 'done', message: '1 place removed' }),
    ]);
    expect(fixes[0]?.message).toContain('1 run taken back');
    expect(code).toBe(0);
    expect(findings.filter(({ severity }) => severity !== 'ok')).toMatchObject([
      { id: 'work_paused_lanes', remedy: null },
    ]);
    expect(await left(runId)).toEqual({ status: 'queued', holds: 0 });
    expect(await fixed(['--only', 'work'])).toMatchObject({ code: 0, fixes: [] });
  });

  it('is asked about at a terminal, one by one', async () => {
    const runId = await leaveWork();
    const asking = startSpine(['doctor', '--only', 'work', '--fix'], { ...place(), terminal: true });
    await asking.says('Take the runs back');
    // Enter alone is no.
    asking.type('\r');
    await asking.says('Remove the places');
    asking.type('y');
    const { code, out, problem } = await asking.ended;
    expect(code).toBe(1);
    expect(problem).toContain('· left as it is');
    expect(problem).toContain('✓ 1 place removed');
    // What was found before, and what is left.
    expect(out.match(/held by workers that are gone/g)).toHaveLength(2);
    expect(out.match(/under concurrency keys left/g)).toHaveLength(1);
    expect(await left(runId)).toEqual({ status: 'running', holds: 0 });
  });
});

it('a database that is missing is made, with its schema and its queue', async () => {
  const name = `spine_fix_${newId().replaceAll('-', '')}`;
  const url = new URL(database.connectionString);
  url.pathname = `/${name}`;
  const env = { SPINE_DATABASE_URL: url.toString() };
  try {
    const { status, findings } = JSON.parse(
      (await doctor(['--only', 'work', '--json'], env)).out,
    ) as Repaired;
    expect({ status, findings }).toMatchObject({
      status: 'error',
      findings: [{ id: 'database_reachable', fix: 'spine db init', remedy: 'create_database' }],
    });
    expect(await databaseExists(url.toString())).toBe(false);
    const made = await fixed(['--only', 'work'], env);
    expect(made.fixes).toMatchObject([{ remedy: 'create_database', outcome: 'done' }]);
    expect(made.fixes[0]?.message).toMatch(
      /^created the database; \d+ migrations applied, .*queue ready on Postgres$/,
    );
    expect(made.code).toBe(0);
    expect(made.findings.map(({ id }) => id)).toContain('work_leases');
  } finally {
    await database.admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
});

it('Redis is set to keep its keys where it lets itself be set; else that is told, without its password', async () => {
  const redis = await startRedisServer({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  const admin = new Redis(redis.url);
  const url = new URL(redis.url);
  url.password = CANARY;
  const look = () => fixed(['--only', 'redis'], { SPINE_REDIS_URL: url.toString() });
  try {
    // As hosted servers are.
    await admin.acl('SETUSER', 'default', `>${CANARY}`, '-config');
    const refused = await look();
    expect(refused).toMatchObject({ code: 1, fixes: [{ remedy: 'keep_redis_keys', outcome: 'failed' }] });
    expect(refused.findings).toContainEqual(
      expect.objectContaining({ id: 'redis_policy', severity: 'error' }),
    );
    await admin.acl('SETUSER', 'default', '+config');
    const done = await look();
    expect(done).toMatchObject({ code: 0, fixes: [{ remedy: 'keep_redis_keys', outcome: 'done' }] });
    expect(done.fixes[0]?.message).toContain('until Redis restarts');
    expect(await admin.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(done.text + refused.text).not.toContain(CANARY);
  } finally {
    admin.disconnect();
    await redis.stop();
  }
});
