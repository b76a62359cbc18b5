/** The partition that a run of a workflow is for, as the metadata of the run say it: any way of starting runs can. */
import { ValidationError } from '../errors/permanent.ts';
import { canonicalJson } from '../json/canonical-json.ts';

/** A JSON object that names a partition, e.g. `{ week_ending: '2025-12-12', tier: 'OTC' }`. */
export type WorkflowPartition = Readonly<Record<string, string | number | boolean>>;

/** Under which metadata name the partition. */
export const PARTITION_METADATA = 'workflow_partition';
/** True: the run begins although the partition is completed. */
export const FORCE_METADATA = 'workflow_force';

/** Characters of its canonical JSON. */
export const MAX_PARTITION_LENGTH = 1_000;

export interface PartitionIssue {
  /** Below the metadata. */
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

type Metadata = Readonly<Record<string, unknown>>;

function own(metadata: Metadata, key: string): unknown {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}

/** What is wrong with the partition of a run; nothing where it has none. */
export function findPartitionIssues(metadata: Metadata): readonly PartitionIssue[] {
  const issues: PartitionIssue[] = [];
  const force = own(metadata, FORCE_METADATA);
  if (force !== undefined && typeof force !== 'boolean') {
    issues.push({ field: FORCE_METADATA, code: 'invalid_type', message: 'must be true or false' });
  }
  const partition = own(metadata, PARTITION_METADATA);
  if (partition === undefined) return issues;
  const refuse = (field: string, code: string, message: string): void =>
    void issues.push({ field, code, message });
  if (typeof partition !== 'object' || partition === null || Array.isArray(partition)) {
    refuse(PARTITION_METADATA, 'invalid_type', 'must be a JSON object such as {"week_ending":"2025-12-12"}');
    return issues;
  }
  const entries = Object.entries(partition);
  if (entries.length === 0) refuse(PARTITION_METADATA, 'too_small', 'must have at least one field');
  for (const [key, value] of entries) {
    if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) continue;
    refuse(`${PARTITION_METADATA}.${key}`, 'invalid_type', 'must be a text, a number, true or false');
  }
  if (issues.length === 0 && canonicalJson(partition).length > MAX_PARTITION_LENGTH) {
    const message = `must have at most ${MAX_PARTITION_LENGTH} characters of JSON`;
    refuse(PARTITION_METADATA, 'too_large', message);
  }
  return issues;
}

export interface TrackedPartition {
  readonly partition: WorkflowPartition;
  /** Canonical JSON: one partition has one spelling. */
  readonly key: string;
  readonly force: boolean;
}

/**
 * The partition of a run; null for one that is not tracked.
 * @throws ValidationError for one that {@link findPartitionIssues} complains about.
 */
export function trackedPartitionOf(metadata: Metadata): TrackedPartition | null {
  const issues = findPartitionIssues(metadata).map((issue) => ({
    ...issue,
    field: `metadata.${issue.field}`,
  }));
  if (issues.length > 0) {
    const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
    throw new ValidationError(message, { issues });
  }
  const partition = own(metadata, PARTITION_METADATA);
  if (partition === undefined) return null;
  return {
    partition: partition as WorkflowPartition,
    key: canonicalJson(partition),
    force: own(metadata, FORCE_METADATA) === true,
  };
}
