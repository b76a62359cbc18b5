/** A workflow of plain functions, run durably by its own process, with or without an engine that is there already. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operation, StepResult, workflow } from '@spine/orchestration';
import type { WorkflowBuilder } from '@spine/orchestration';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { openBed } from './engine-run-support.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

let calls = 0;
const etl = (): WorkflowBuilder =>
  workflow('managed.etl')
    .step('fetch', ({ rows }: { rows: number[] }) => {
      calls += 1;
      return { rows };
    })
    .step('sum', ({ rows }: { rows: number[] }) => ({ sum: rows.reduce((all, row) => all + row, 0) }))
    .step('check', ({ sum, most = 100 }: { sum: number; most?: number }) =>
      sum > most ? StepResult.fail(`${sum} is too much`, { category: 'VALIDATION' }) : { ok: true },
    )
    .outputs({ sum: '{{ steps.sum.output.sum }}' });

describe('a managed workflow with a database', () => {
  it('runs as it does in memory, and is remembered by the next process', async () => {
    await using durable = etl().build({ database: database.connectionString });
    expect(await durable.show()).toContain('fetch');
    const result = await durable.run({ rows: [1, 2, 3] });
    const inMemory = await etl()
      .build()
      .run({ rows: [1, 2, 3] });
    const told = ({ status, outputs, steps }: typeof result) => ({ status, outputs, steps });
    expect(told(result)).toEqual(told(inMemory));
    expect(result.outputs).toEqual({ sum: 6 });
    const failed = await durable.run({ rows: [99, 99] });
    expect(failed).toMatchObject({
      status: 'failed',
      failedStep: 'check',
      error: { message: '198 is too much' },
    });
    expect(calls).toBe(3);

    await using another = etl().build({ database: database.connectionString });
    const history = await another.history();
    expect(history).toMatchObject([
      { runId: failed.runId, status: 'failed', outputs: null },
      { runId: result.runId, status: 'completed', params: { rows: [1, 2, 3] }, outputs: { sum: 6 } },
    ]);
    expect(await another.history({ limit: 1, before: failed.runId })).toMatchObject([
      { runId: result.runId },
    ]);
    expect(await another.show()).toMatch(/check.*failed[^]*198 is too much/);
    // The same key is the same run.
    const again = await another.start({ rows: [1] }, { idempotencyKey: 'one' });
    expect(await durable.start({ rows: [1] }, { idempotencyKey: 'one' })).toBe(again);
    await expect(durable.start({ rows: [2] }, { idempotencyKey: 'one' })).rejects.toThrow('another spec');
  });

  it('goes on with what a process has left behind', async () => {
    const waits = () =>
      workflow('managed.waits')
        .wait('long', { durationSeconds: 0.01 })
        .step('after', () => ({ done: true }));
    const first = waits().build({ database: database.connectionString, lane: 'left' });
    const runId = await first.start();
    await first.close();
    await using second = waits().build({ database: database.connectionString, lane: 'left' });
    const seen = await second.run({}, { timeoutMs: 30_000 });
    expect(seen.status).toBe('completed');
    await expect
      .poll(async () => (await second.history()).find((run) => run.runId === runId)?.status, {
        timeout: 15_000,
      })
      .toBe('completed');
  });
});

describe('a managed workflow with an engine', () => {
  it('uses its connections and its operations, and leaves it open', async () => {
    const bed = await openBed({
      queue: 'memory',
      register: (registry) =>
        void registry.registerOperation(
          'test.twice',
          { description: 'Doubles.', params: z.strictObject({ n: z.number() }) },
          ({ n }) => ({ n: n * 2 }),
        ),
    });
    const managed = workflow('managed.engine')
      .step('twice', operation('test.twice'), { config: { n: '{{ params.n }}' } })
      .build({ engine: bed.engine });
    expect(await managed.run({ n: 4 })).toMatchObject({ status: 'completed', outputs: { twice: { n: 8 } } });
    await managed.close();
    expect((await bed.engine.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await bed.close();
  });
});
