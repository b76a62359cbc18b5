/**
 * A thousand occurrences and three schedulers whose clocks are five minutes ahead, right and five minutes behind, one of
 * which is killed and replaced again and again: each occurrence gets exactly one run.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { openSchedules } from '../integration/schedules-support.ts';
import type { ScheduleBed } from '../integration/schedules-support.ts';

const PROGRAM = fileURLToPath(new URL('programs/shifted-scheduler.ts', import.meta.url));
const SHIFTS_MS = [300_000, 0, -300_000];
const ROUNDS = 5;
const OF_A_ROUND = 200;
const OCCURRENCES = ROUNDS * OF_A_ROUND;
const SPREAD_SECONDS = 1;

let bed: ScheduleBed;
const alive: ChildProcess[] = [];
beforeAll(async () => {
  bed = await openSchedules();
});
afterAll(async () => {
  for (const child of alive) child.kill('SIGKILL');
  await bed.close();
});

async function startScheduler(place: number): Promise<void> {
  const child = fork(PROGRAM, [bed.databaseUrl, String(SHIFTS_MS[place])], {
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: ['--conditions=@spine/source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  alive[place] = child;
  const [{ now }] = (await once(child, 'message')) as [{ now: number }];
  // Its clock is wrong: otherwise this test would say nothing.
  const wrongByMs = now - Date.now() - (SHIFTS_MS[place] ?? 0);
  expect(Math.abs(wrongByMs)).toBeLessThan(60_000);
}

async function count(text: string): Promise<number> {
  const { rows } = await bed.admin.query<{ count: number }>(text);
  return rows[0]?.count ?? 0;
}

/** One-off schedules of a round, due one after another over a second. */
async function addOccurrences(round: number): Promise<void> {
  await bed.admin.query(
    `INSERT INTO schedules (schedule_id, name, state, target_kind, target_name, work, schedule_type, run_at, timezone,
       misfire_policy, misfire_grace_seconds, catch_up_limit, catch_up_spacing_seconds, catch_up_lane, overlap_policy,
       max_instances, frequent, next_fire_at, created_by)
     SELECT gen_random_uuid(), 'once ' || $3 || ' ' || i, 'active', 'task', 'echo', '{"kind":"task","name":"echo"}', 'date', at,
       'UTC', 'skip', 3600, 10, 1, 'backfill', 'skip', 1, false, at, 'test'
     FROM (SELECT i, date_trunc('milliseconds', now() + (i * $1::float / $2) * interval '1 second') AS at
           FROM generate_series(1, $2) AS i) AS due`,
    [SPREAD_SECONDS, OF_A_ROUND, String(round)],
  );
}

const decided = () => count('SELECT count(*)::int AS count FROM schedule_runs');

describe('three schedulers with wrong clocks, one of which is killed every moment', () => {
  it('start one run for each occurrence', { timeout: 90_000 }, async () => {
    await Promise.all(SHIFTS_MS.map((_, place) => startScheduler(place)));
    for (let round = 0; round < ROUNDS; round += 1) {
      await addOccurrences(round);
      const place = round % SHIFTS_MS.length;
      // In the midst of the round, while all three decide.
      await waitFor(async () => (await decided()) > round * OF_A_ROUND, { message: 'the round begins' });
      alive[place]?.kill('SIGKILL');
      const replaced = startScheduler(place);
      await waitFor(async () => (await decided()) === (round + 1) * OF_A_ROUND, {
        timeoutMs: 30_000,
        message: 'the others decide the rest',
      });
      await replaced;
    }
    const facts = {
      decided: await decided(),
      schedules: await count('SELECT count(DISTINCT schedule_id)::int AS count FROM schedule_runs'),
      fired: await count(`SELECT count(*)::int AS count FROM schedule_runs WHERE status = 'FIRED'`),
      runs: await count('SELECT count(*)::int AS count FROM runs'),
      runsOfHistory: await count(
        'SELECT count(*)::int AS count FROM schedule_runs h JOIN runs r ON r.id = h.run_id',
      ),
      completed: await count(`SELECT count(*)::int AS count FROM schedules WHERE state = 'completed'`),
      early: await count('SELECT count(*)::int AS count FROM schedule_runs WHERE decided_at < fire_at'),
    };
    expect(facts).toEqual({
      decided: OCCURRENCES,
      schedules: OCCURRENCES,
      fired: OCCURRENCES,
      runs: OCCURRENCES,
      runsOfHistory: OCCURRENCES,
      completed: OCCURRENCES,
      early: 0,
    });
    expect(
      await count('SELECT count(DISTINCT decided_by)::int AS count FROM schedule_runs'),
    ).toBeGreaterThanOrEqual(3);
  });
});
