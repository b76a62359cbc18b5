import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { isUuid, newRunId } from '../ids.ts';
import { ExecutionContext } from './execution-context.ts';

const startedAt = new Date('2025-12-26T12:00:00Z');
const root = ExecutionContext.create({ startedAt, workflow: 'finra.weekly', batchId: 'week-52' });

describe('ExecutionContext', () => {
  it('stands alone unless it is told otherwise', () => {
    const alone = ExecutionContext.create({ startedAt });
    expect(isUuid(alone.executionId)).toBe(true);
    expect(alone).toMatchObject({ parentExecutionId: null, batchId: null, workflow: null, depth: 0 });
    expect([alone.rootExecutionId, ...alone.lineage]).toEqual([alone.executionId, alone.executionId]);
  });

  it('gives children its batch and workflow, and itself as parent', () => {
    const later = new Date('2025-12-26T12:01:00Z');
    const child = root.child({ startedAt: later });
    expect(child.executionId).not.toBe(root.executionId);
    expect(child).toMatchObject({
      parentExecutionId: root.executionId,
      batchId: 'week-52',
      workflow: 'finra.weekly',
      startedAt: '2025-12-26T12:01:00.000Z',
      depth: 1,
    });
    const executionId = newRunId();
    expect(root.child({ startedAt, executionId, workflow: 'finra.ingest' })).toMatchObject({
      executionId,
      workflow: 'finra.ingest',
    });
  });

  it('knows its line, however deep', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), (depth) => {
        const line = [root];
        for (let level = 0; level < depth; level += 1) line.push((line.at(-1) ?? root).child({ startedAt }));
        const last = line.at(-1) ?? root;
        expect(last.lineage).toEqual(line.map(({ executionId }) => executionId));
        expect([last.depth, last.rootExecutionId]).toEqual([depth, root.executionId]);
        line.forEach((above) => expect(last.isDescendantOf(above)).toBe(above !== last));
        expect(line.some((below) => below !== root && root.isDescendantOf(below))).toBe(false);
      }),
    );
  });

  it('is copied with another batch or workflow, and stays the same execution', () => {
    const child = root.child({ startedAt });
    const moved = child.withBatch('week-53').withWorkflow('finra.repair');
    expect(moved).toMatchObject({ batchId: 'week-53', workflow: 'finra.repair', startedAt: child.startedAt });
    expect([moved.executionId, moved.parentExecutionId]).toEqual([child.executionId, root.executionId]);
    expect(child).toMatchObject({ batchId: 'week-52', workflow: 'finra.weekly' });
  });

  it('cannot be changed, not by the dates and lists it was made of either', () => {
    const [date, ancestors] = [new Date(startedAt), [newRunId()]];
    const context = ExecutionContext.create({ startedAt: date, ancestors });
    date.setTime(0);
    ancestors.push(newRunId());
    expect([context.startedAt, context.depth]).toEqual([startedAt.toISOString(), 1]);
    expect([context, context.ancestors].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it('tells how long it has been going on', () => {
    expect(root.elapsedMs(new Date('2025-12-26T12:00:01.500Z'))).toBe(1_500);
    expect(root.elapsedMs(new Date('2025-12-26T11:59:59Z'))).toBe(-1_000);
  });

  it('is JSON', () => {
    const child = root.child({ startedAt });
    expect(JSON.parse(JSON.stringify(child))).toEqual({
      execution_id: child.executionId,
      parent_execution_id: root.executionId,
      root_execution_id: root.executionId,
      batch_id: 'week-52',
      workflow: 'finra.weekly',
      started_at: '2025-12-26T12:00:00.000Z',
    });
  });

  it('refuses circles, empty names and dates that are none', () => {
    const executionId = newRunId();
    const wrong = [
      () => ExecutionContext.create({ startedAt, executionId, ancestors: [executionId] }),
      () => ExecutionContext.create({ startedAt, ancestors: [executionId, executionId] }),
      () => root.child({ startedAt, executionId: root.executionId }),
      () => ExecutionContext.create({ startedAt: new Date(Number.NaN) }),
      () => root.withBatch(' '),
      () => root.withWorkflow(''),
    ];
    for (const make of wrong) expect(make).toThrow(ValidationError);
  });
});
