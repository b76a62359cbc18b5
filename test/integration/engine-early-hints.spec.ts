/** Hints that are sent while rows are being stored, over Redis; nothing but hints brings runs to the worker here. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NetworkError, newId } from '@spine/core';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { EARLY_LOOKS_MS, MemoryHintQueue } from '@spine/execution';
import type { HintQueue } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed } from './engine-run-support.ts';
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
    // The last look has been answered, not only counted.
    await waitFor(
      async () =>
        (await hints('early')) === before + EARLY_LOOKS_MS.length &&
        (await bed.engine.queue.counts(lane)).active === 0,
      { message: 'all looks' },
    );
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

describe('a worker that stops', () => {
  it('has given back what it was still looking for', async () => {
    const own = await openBed({ queue: 'memory', maintained: false });
    const name = own.newLane();
    const worker = await own.startWorker(name);
    const looks = async (): Promise<number> => {
      const { values } = await own.engine.metrics.hints.get();
      return values.find(({ labels }) => labels['event'] === 'early')?.value ?? 0;
    };
    const hint = { lane: name, priority: 2, runIds: [newId()], label: 'task:probe', delayMs: 0, early: true };
    await own.engine.queue.publish([hint]);
    // From here on the pauses are longer than a stop takes.
    await waitFor(async () => (await looks()) > EARLY_LOOKS_MS.findIndex((ms) => ms >= 80), {
      message: () => 'the later looks',
    });
    await worker.stop(0);
    expect(await own.engine.queue.counts(name)).toMatchObject({ waiting: 1, active: 0 });
    await own.close();
  });
});

describe('a dispatcher that is drained', () => {
  it('has sent the second hint of a run whose early one was refused', async () => {
    const inner = new MemoryHintQueue();
    const [refusal, acceptance] = [deferred(), deferred()];
    let published = 0;
    const queue: HintQueue = {
      backend: 'bullmq-redis',
      publish: async (given) => {
        published += 1;
        if (published === 1) {
          await refusal.promise;
          throw new NetworkError('refused');
        }
        await acceptance.promise;
        await inner.publish(given);
      },
      consume: (name) => inner.consume(name),
      counts: (name) => inner.counts(name),
      check: () => inner.check(),
      recoverStalled: () => inner.recoverStalled(),
      close: () => inner.close(),
    };
    const own = await openBed({ queue, maintained: false });
    await own.submit(own.probe('drained', () => null));
    let isDrained = false;
    const drained = own.engine.dispatcher.drain().then(() => (isDrained = true));
    refusal.resolve();
    await waitFor(() => published === 2, { message: () => 'the second hint' });
    expect(isDrained).toBe(false);
    acceptance.resolve();
    await drained;
    expect(await inner.counts('drained')).toMatchObject({ waiting: 1 });
    await own.close();
  });
});
