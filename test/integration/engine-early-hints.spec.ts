/** Hints that are sent while rows are being stored, over Redis; nothing but hints brings runs to the worker here. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { EARLY_LOOKS_MS } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

/** Whoever inserts a run waits for this lock. */
const GATE = 7_001;

let bed: Bed;
let lane: string;
let gate: Pool;

beforeAll(async () => {
  bed = await openBed({ queue: 'redis', maintained: false });
  await bed.admin.query(`CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NEW; END $$;
    CREATE TRIGGER wait_at_gate BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION wait_at_gate()`);
  gate = createPool({ connectionString: bed.databaseUrl, role: null, max: 1 });
  lane = bed.newLane();
  await bed.startWorker(lane, { pollMs: 3_600_000 });
});

const openGate = (): Promise<unknown> => gate.query('SELECT pg_advisory_unlock_all()');
const closeGate = (): Promise<unknown> => gate.query('SELECT pg_advisory_lock($1)', [GATE]);

afterEach(openGate);

afterAll(async () => {
  await gate.end();
  await bed.close();
});

async function hints(event: string): Promise<number> {
  const { values } = await bed.engine.metrics.hints.get();
  return values.find(({ labels }) => labels['event'] === event)?.value ?? 0;
}

describe('a lone run', () => {
  it('has its hint delivered before it is stored, and starts once when it is', async () => {
    const before = await hints('early');
    await closeGate();
    let starts = 0;
    const submitted = bed.submit(bed.probe(lane, () => (starts += 1)));
    await waitFor(async () => (await hints('early')) > before, {
      message: 'a look for a row that is not there',
    });
    await openGate();
    const runId = await submitted;
    expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    expect(starts).toBe(1);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'completed']);
  });

  it('is hinted again when storing it took longer than anybody looks for it', async () => {
    const before = await hints('early');
    await closeGate();
    const submitted = bed.submit(bed.probe(lane, () => null));
    await waitFor(async () => (await hints('early')) === before + EARLY_LOOKS_MS.length, {
      message: 'all looks',
    });
    const published = await hints('published');
    await openGate();
    await bed.reach(await submitted, 'completed');
    await waitFor(async () => (await hints('published')) === published + 1, { message: 'the second hint' });
  });

  it('that turns out to be there already starts once', async () => {
    let starts = 0;
    const spec = bed.probe(lane, () => (starts += 1), { idempotencyKey: 'early-once' });
    const runId = await bed.submit(spec);
    await bed.reach(runId, 'completed');
    const before = await hints('early');
    expect(await bed.engine.dispatcher.submit(spec)).toMatchObject({ type: 'existing', run: { runId } });
    await waitFor(async () => (await hints('early')) === before + EARLY_LOOKS_MS.length, {
      message: 'all looks',
    });
    expect(starts).toBe(1);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'completed']);
  });
});

describe('no hint is sent early', () => {
  it.each([
    ['for a run that is due later', () => ({ runAfter: new Date(Date.now() + 1_000) })],
    ['for a run that has to wait for others', () => ({ concurrency: [{ key: 'early', limit: 1 }] })],
  ])('%s', async (_, more) => {
    const [early, published] = [await hints('early'), await hints('published')];
    await closeGate();
    const submitted = bed.submit(bed.probe(lane, () => null, more()));
    await waitFor(
      async () =>
        (await bed.admin.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rows
          .length > 0,
      { message: 'the INSERT at the gate' },
    );
    expect(await hints('published')).toBe(published);
    await openGate();
    await bed.reach(await submitted, 'completed');
    expect(await hints('early')).toBe(early);
  });
});
