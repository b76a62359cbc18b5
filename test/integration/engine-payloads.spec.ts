/** Params and results that are too large for their run's row, from submit to settlement. */
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isTerminal, newId, SourceError } from '@spine/core';
import { createPayloadSweep, MemoryHintQueue, taskSpec } from '@spine/execution';
import type { HandlerRegistry, Hint, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const LIMITS = { inlineBytes: 1_024, maxBytes: 200_000 };
const text = (length: number, of = 'x'): string => of.repeat(length);
const LARGE = text(50_000, '語');

/** What the handlers of these tests have been called with, by run. */
const seen = new Map<string, unknown>();
const gates = new Map<string, Promise<void>>();

function register(registry: HandlerRegistry): void {
  registry
    .registerTask(
      'mirror',
      { description: 'Returns its text.', params: z.strictObject({ text: z.string() }) },
      async (params, ctx) => {
        seen.set(ctx.run.runId, params);
        await gates.get(ctx.run.runId);
        return params;
      },
    )
    .registerTask(
      'produce',
      { description: 'Returns so many characters.', params: z.strictObject({ length: z.int() }) },
      ({ length }) => text(length),
    )
    .registerTask(
      'refuse',
      { description: 'Fails for good.', params: z.strictObject({ text: z.string() }) },
      (params, ctx) => {
        seen.set(ctx.run.runId, params);
        throw new SourceError('not this one');
      },
    )
    .registerTask(
      'choosy',
      { description: 'Takes three letters.', params: z.strictObject({ text: z.string().max(3) }) },
      () => 'called',
    );
}

class RecordingQueue extends MemoryHintQueue {
  readonly hints: Hint[] = [];
  override publish(hints: readonly Hint[]): Promise<void> {
    this.hints.push(...hints);
    return super.publish(hints);
  }
}

describe.each(['pg', 'file'] as const)('payloads in %s', (scheme) => {
  let bed: Bed;
  let root: string;
  let lane: string;
  const queue = new RecordingQueue();
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'spine-payloads-'));
    bed = await openBed({
      queue,
      register,
      engine: { payloads: { ...LIMITS, ...(scheme === 'file' ? { dir: root } : {}) } },
    });
    lane = bed.newLane();
    await bed.startWorker(lane);
  });
  afterAll(async () => {
    await bed.close();
    await rm(root, { recursive: true, force: true });
  });

  const task = (name: string, params: Record<string, unknown>, more: Partial<WorkSpec> = {}): WorkSpec =>
    taskSpec(name, params, { lane, retryDelaySeconds: 0, ...more });

  /** What the store has of a run, by slot. */
  async function stored(runId: string): Promise<string[]> {
    if (scheme === 'pg') {
      const { rows } = await bed.admin.query<{ slot: string }>(
        'SELECT slot FROM run_payloads WHERE run_id = $1 ORDER BY slot',
        [runId],
      );
      return rows.map(({ slot }) => slot);
    }
    const files = await readdir(root, { recursive: true });
    return files
      .map((file) => file.split('/').at(-1) ?? '')
      .filter((file) => file.startsWith(runId))
      .map((file) => file.slice(runId.length + 1, -'.json'.length).replace('-', ':'))
      .sort();
  }

  /** Everything the store has, of whatever run. */
  async function storedAtAll(): Promise<number> {
    if (scheme === 'file') {
      return (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.json')).length;
    }
    const { rows } = await bed.admin.query<{ n: number }>('SELECT count(*)::int AS n FROM run_payloads');
    return rows[0]?.n ?? -1;
  }

  async function lose(runId: string): Promise<void> {
    if (scheme === 'pg') await bed.admin.query('DELETE FROM run_payloads WHERE run_id = $1', [runId]);
    for (const file of await readdir(root, { recursive: true })) {
      if (file.includes(runId)) await rm(join(root, file));
    }
  }

  async function damage(runId: string): Promise<void> {
    if (scheme === 'pg') {
      await bed.admin.query(
        `UPDATE run_payloads SET content = replace(content, 'x', 'y') WHERE run_id = $1`,
        [runId],
      );
    }
    for (const file of await readdir(root, { recursive: true })) {
      if (file.includes(runId)) await writeFile(join(root, file), '{"text":"not it"}');
    }
  }

  it('stay out of the row and out of the hints; handler and caller see them as ever', async () => {
    const runId = await bed.submit(task('mirror', { text: LARGE }));
    const run = await bed.engine.dispatcher.wait(runId);
    expect(run).toMatchObject({ status: 'completed', paramsRef: null, resultRef: null });
    expect(run.params).toEqual({ text: LARGE });
    expect(run.result).toEqual({ text: LARGE });
    expect(seen.get(runId)).toEqual({ text: LARGE });

    const row = await bed.engine.dispatcher.get(runId);
    expect(row?.params).toEqual({ $omitted: { bytes: 150_011, sha256: expect.any(String) as string } });
    expect(row?.result).toBeNull();
    expect(row?.paramsRef).toMatch(new RegExp(`^${scheme}:params:[0-9a-f]{64}:150011$`));
    expect(row?.resultRef).toMatch(new RegExp(`^${scheme}:result:1:[0-9a-f]{64}:150011$`));
    if (row === null) throw new Error('no run');
    // An answer that has room for one of the two.
    const shown = await bed.engine.payloads.show(row, 200_000);
    expect([shown.params, shown.paramsRef]).toEqual([{ text: LARGE }, null]);
    expect(shown.result).toMatchObject({ $omitted: { reason: 'this answer holds at most 200000 bytes' } });
    expect(shown.resultRef).toBe(row.resultRef);
    expect(await stored(runId)).toEqual(['params', 'result:1']);
    const hints = queue.hints.filter(({ runIds }) => runIds.includes(runId));
    expect(hints).not.toEqual([]);
    for (const hint of hints) expect(JSON.stringify(hint).length).toBeLessThan(1_000);
  });

  it('that are small stay in the row', async () => {
    const fits = text(LIMITS.inlineBytes - JSON.stringify({ text: '' }).length);
    const small = await bed.engine.dispatcher.submitAndWait(task('mirror', { text: fits }));
    const larger = await bed.engine.dispatcher.submitAndWait(task('mirror', { text: `${fits}x` }));
    if (small.type !== 'run' || larger.type !== 'run') throw new Error('not accepted');
    expect(await stored(small.run.runId)).toEqual([]);
    expect(await stored(larger.run.runId)).toEqual(['params', 'result:1']);
  });

  it('may be as large as allowed and no larger', async () => {
    const { dispatcher } = bed.engine;
    const before = await storedAtAll();
    const tooLarge = await dispatcher.submit(task('mirror', { text: text(LIMITS.maxBytes) }));
    expect(tooLarge).toMatchObject({ type: 'invalid', issues: [{ field: 'params', code: 'too_large' }] });
    expect(await storedAtAll()).toBe(before);
    const runId = await bed.submit(task('produce', { length: LIMITS.maxBytes - 1 }));
    const refused = await bed.reach(runId, 'dead_lettered');
    // Permanent: three attempts are left.
    expect(refused).toMatchObject({ attempt: 1, error: { category: 'VALIDATION', retryable: false } });
    expect(refused.error?.message).toContain('at most 200000 are allowed');
    const fits = await bed.submit(task('produce', { length: LIMITS.maxBytes - 2 }));
    expect((await dispatcher.wait(fits)).status).toBe('completed');
  });

  it('are validated like any others', async () => {
    const runId = await bed.submit(
      task('mirror', { text: LARGE }, { runAfter: new Date(Date.now() + 3_600_000) }),
    );
    // As if the handler had changed since.
    await bed.admin.query('ALTER TABLE runs DISABLE TRIGGER runs_spec_is_fixed');
    await bed.admin.query(
      `UPDATE runs SET name = 'choosy', available_at = now(), dispatch_after = now() WHERE id = $1`,
      [runId],
    );
    await bed.admin.query('ALTER TABLE runs ENABLE TRIGGER runs_spec_is_fixed');
    const run = await bed.reach(runId, 'dead_lettered');
    expect(run.error?.message).toContain('invalid params: params.text');
  });

  it('are kept once for two submissions with one key', async () => {
    const spec = task('mirror', { text: LARGE }, { idempotencyKey: `key-${scheme}` });
    const runId = await bed.submit(spec);
    const before = await storedAtAll();
    expect(await bed.engine.dispatcher.submit(spec)).toMatchObject({ type: 'existing', run: { runId } });
    const other = { ...spec, params: { text: `${LARGE}!` } };
    expect(await bed.engine.dispatcher.submit(other)).toMatchObject({ type: 'conflict', run: { runId } });
    await bed.engine.dispatcher.wait(runId);
    // Those of the refused ones are removed in the background; what is left is the run's own, and its result.
    await waitFor(async () => (await storedAtAll()) <= before + 1);
    expect(await stored(runId)).toEqual(['params', 'result:1']);
  });

  it('that are gone or damaged fail the run, and say so', async () => {
    for (const [spoil, error] of [
      [lose, /the params of run .* not in the/],
      [damage, /the params of run .* differs from what was stored/],
    ] as const) {
      const runAfter = new Date(Date.now() + 3_600_000);
      const runId = await bed.submit(task('mirror', { text: text(5_000) }, { runAfter, maxRetries: 1 }));
      await spoil(runId);
      await bed.admin.query('UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1', [
        runId,
      ]);
      const run = await bed.reach(runId, 'dead_lettered');
      expect(run.error).toMatchObject({
        message: expect.stringMatching(error) as string,
        category: 'STORAGE',
      });
      expect(run.error?.message).not.toContain(root);
      expect(seen.has(runId)).toBe(false);
      // A folder may not be mounted for a while; what the database has lost stays lost, as does what is damaged.
      expect(run.attempt).toBe(scheme === 'file' && spoil === lose ? 2 : 1);
      await expect(bed.engine.dispatcher.read(runId)).rejects.toThrow(error);
      const shown = await bed.engine.payloads.show(run, 1_000_000);
      expect(shown.params).toMatchObject({
        $omitted: { bytes: 5_011, reason: expect.stringMatching(error) as string },
      });
    }
  });

  it('are copied for a run that does the work again, which then needs the old one no more', async () => {
    const runAfter = new Date(Date.now() + 3_600_000);
    const runId = await bed.submit(task('mirror', { text: LARGE }, { runAfter }));
    await bed.engine.dispatcher.cancel(runId);
    const retried = await bed.engine.dispatcher.retry(runId);
    if (retried.type !== 'retried') throw new Error(retried.type);
    expect(await bed.engine.dispatcher.wait(retried.runId)).toMatchObject({
      status: 'completed',
      params: { text: LARGE },
    });
    await lose(runId);
    expect((await bed.engine.dispatcher.read(retried.runId))?.params).toEqual({ text: LARGE });
    // Nothing to copy any more: refused, and nothing stored.
    await expect(bed.engine.dispatcher.retry(runId)).rejects.toMatchObject({ name: 'PayloadMissingError' });
  });

  it('that are gone keep one of many runs from being retried, and the others not', async () => {
    const batch = bed.newLane();
    const submit = () =>
      bed.submit(
        task('mirror', { text: LARGE }, { lane: batch, runAfter: new Date(Date.now() + 3_600_000) }),
      );
    const runIds = [await submit(), await submit(), await submit()];
    for (const runId of runIds) await bed.engine.dispatcher.cancel(runId);
    await lose(runIds[1] ?? '');
    const { items } = await bed.engine.dispatcher.retryAll(
      { status: ['cancelled'], lane: batch },
      { by: 'test' },
    );
    expect(items.map(({ runId, type }) => [runId, type])).toEqual([
      [runIds[0], 'retried'],
      [runIds[1], 'skipped'],
      [runIds[2], 'retried'],
    ]);
    for (const item of items) {
      if (item.type !== 'retried') continue;
      expect((await bed.engine.dispatcher.read(item.newRunId))?.params).toEqual({ text: LARGE });
    }
  });

  it('are copied for the replay of a dead letter, which itself stays small', async () => {
    const runId = await bed.submit(task('refuse', { text: LARGE }));
    await bed.reach(runId, 'dead_lettered');
    const { rows } = await bed.admin.query<{ id: string; params: unknown }>(
      'SELECT id, params FROM dead_letters WHERE run_id = $1',
      [runId],
    );
    expect(rows[0]?.params).toMatchObject({ $omitted: { bytes: expect.any(Number) as number } });
    const replayed = await bed.engine.dispatcher.replay(rows[0]?.id ?? '', 'test');
    if (replayed.type !== 'replayed') throw new Error(replayed.type);
    await bed.reach(replayed.runId, 'dead_lettered');
    expect(seen.get(replayed.runId)).toEqual({ text: LARGE });
  });

  it('of an attempt that lost its run are not the result, and are removed', async () => {
    const { promise, resolve } = deferred();
    const spec = task('mirror', { text: LARGE });
    const runAfter = new Date(Date.now() + 3_600_000);
    const runId = await bed.submit({ ...spec, runAfter });
    gates.set(runId, promise);
    await bed.admin.query('UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1', [
      runId,
    ]);
    await waitFor(() => seen.has(runId));
    // Taken without a word, as by a reaper after a lease that ran out, and completed by another.
    await bed.admin.query(`UPDATE runs SET epoch = epoch + 1 WHERE id = $1`, [runId]);
    await bed.admin.query(
      `UPDATE runs SET status = 'completed', completed_at = now(), lease_owner = NULL, lease_expires_at = NULL,
         deadline_at = NULL, result = '"the other one'' s"' WHERE id = $1`,
      [runId],
    );
    resolve();
    await waitFor(async () => (await bed.count('fenced')) > 0);
    await waitFor(async () => (await stored(runId)).join() === 'params');
    expect((await bed.engine.dispatcher.read(runId))?.result).toBe("the other one' s");
  });

  it('that no run names are swept up', async () => {
    const orphan = newId();
    await bed.engine.payloads.stowResult(orphan, 1, JSON.stringify(LARGE));
    const runId = await bed.submit(task('mirror', { text: LARGE }));
    await bed.reach(runId, 'completed');
    const sweep = createPayloadSweep({ ...bed.engine, minAgeMs: -60_000 });
    sweep.start();
    await waitFor(async () => (await stored(orphan)).length === 0);
    await sweep.stop();
    expect(await stored(runId)).toEqual(['params', 'result:1']);
  });

  it('never keep a run from ending: the store is away when the result comes', async () => {
    const { promise, resolve } = deferred();
    const runAfter = new Date(Date.now() + 3_600_000);
    const runId = await bed.submit(task('mirror', { text: LARGE }, { runAfter, maxRetries: 1 }));
    gates.set(runId, promise);
    await bed.admin.query('UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1', [
      runId,
    ]);
    await waitFor(() => seen.has(runId));
    const comeBack = await takeAway();
    const other = await bed.engine.dispatcher
      .submit(task('mirror', { text: LARGE }))
      .catch((error: unknown) => error);
    expect(other).toMatchObject({ name: 'PayloadUnavailableError', retryable: true, category: 'STORAGE' });
    resolve();
    const waiting = async () => {
      const run = await bed.engine.dispatcher.get(runId);
      return run !== null && (run.attempt === 2 || isTerminal(run.status)) ? run : null;
    };
    const run = await waitFor(waiting, { timeoutMs: 20_000 });
    const retried = await bed.events(runId);
    expect(retried).toContain('retry_scheduled');
    expect(run.error).toMatchObject({
      type: 'PayloadUnavailableError',
      category: 'STORAGE',
      retryable: true,
    });
    await comeBack();
    await bed.engine.dispatcher.wait(runId);
  });

  /** Makes the store refuse whatever it is asked; answers with what mends it. */
  async function takeAway(): Promise<() => Promise<unknown>> {
    if (scheme === 'pg') {
      await bed.admin.query('ALTER TABLE run_payloads RENAME TO run_payloads_away');
      return () => bed.admin.query('ALTER TABLE run_payloads_away RENAME TO run_payloads');
    }
    await rename(root, `${root}-away`);
    await writeFile(root, 'no folder');
    return async () => {
      await rm(root);
      await rename(`${root}-away`, root);
    };
  }
});
