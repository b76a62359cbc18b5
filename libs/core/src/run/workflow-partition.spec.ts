import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { findPartitionIssues, trackedPartitionOf } from './workflow-partition.ts';

describe('the partition of a workflow run', () => {
  it('is read from the metadata, in one spelling', () => {
    expect(trackedPartitionOf({})).toBeNull();
    expect(trackedPartitionOf({ workflow_partition: { b: 1, a: 'x' }, workflow_force: true })).toEqual({
      partition: { b: 1, a: 'x' },
      key: '{"a":"x","b":1}',
      force: true,
    });
    expect(trackedPartitionOf({ workflow_partition: { a: true } })?.force).toBe(false);
  });

  it.each([
    ['a text', 'workflow_partition', 'invalid_type'],
    [[], 'workflow_partition', 'invalid_type'],
    [null, 'workflow_partition', 'invalid_type'],
    [{}, 'workflow_partition', 'too_small'],
    [{ a: { b: 1 } }, 'workflow_partition.a', 'invalid_type'],
    [{ a: null }, 'workflow_partition.a', 'invalid_type'],
    [{ a: Number.NaN }, 'workflow_partition.a', 'invalid_type'],
    [{ a: 'x'.repeat(1_000) }, 'workflow_partition', 'too_large'],
  ])('%j is refused', (workflow_partition, field, code) => {
    expect(findPartitionIssues({ workflow_partition })).toMatchObject([{ field, code }]);
    expect(() => trackedPartitionOf({ workflow_partition })).toThrow(ValidationError);
  });

  it('is no inherited property, and force is a boolean', () => {
    const metadata = Object.create({ workflow_partition: { a: 1 } }) as Record<string, unknown>;
    expect(trackedPartitionOf(metadata)).toBeNull();
    expect(findPartitionIssues({ workflow_force: 'yes' })).toMatchObject([{ field: 'workflow_force' }]);
  });
});
