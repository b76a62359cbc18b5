/** Connections that the network has forgotten: nothing arrives any more, and neither side is told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool, GroupCommit, insertRuns } from '@spine/database';
import type { InsertOutcome, NewRun, Pool } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
import { createTestDatabase, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { TcpProxy } from '../chaos/bed/tcp-proxy.ts';

let database: TestDatabase;
let proxy: TcpProxy;
let pool: Pool;
let admin: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.connectionString);
  const port = Number(url.port);
  proxy = await TcpProxy.start(() => port);
  url.port = String(proxy.port);
  pool = createPool({ connectionString: url.href, max: 1, answerTimeoutMs: 500 });
  admin = createPool({ connectionString: database.connectionString, role: null, max: 1 });
});

afterAll(async () => {
  await proxy.stop();
  await pool.end();
  await admin.end();
  await database.drop();
});

function commits(): GroupCommit<NewRun, InsertOutcome> {
  return new GroupCommit({
    flush: (runs, { ambiguous }) => insertRuns(pool, runs, { ambiguous, hinted: false }),
  });
}

async function rowsOf(run: NewRun): Promise<number> {
  const { rows } = await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM runs WHERE id = $1', [
    run.runId,
  ]);
  return rows[0]?.n ?? -1;
}

describe('a pool with a bound on answers', () => {
  it('gives up a connection that does not answer, and goes on with another one', async () => {
    await pool.query('SELECT 1');
    proxy.abandon();
    await expect(pool.query('SELECT 1')).rejects.toThrow('Query read timeout');
    expect((await pool.query<{ n: number }>('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('lets a group commit send again what never arrived', async () => {
    const run = newRun(taskSpec('echo'));
    await pool.query('SELECT 1');
    proxy.abandon();
    expect(await commits().submit(run)).toMatchObject({ type: 'inserted', runId: run.runId });
    expect(await rowsOf(run)).toBe(1);
  });

  it('lets a group commit recognise what was committed and never answered', async () => {
    const run = newRun(taskSpec('echo'));
    await pool.query('SELECT 1');
    proxy.set('hold-answers');
    const stored = commits().submit(run);
    await waitFor(async () => (await rowsOf(run)) === 1, { message: 'the commit' });
    proxy.abandon();
    proxy.set('open');
    expect(await stored).toMatchObject({ type: 'existing', run: { runId: run.runId } });
    expect(await rowsOf(run)).toBe(1);
  });
});
