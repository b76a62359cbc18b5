/**
 * The version that a run of a workflow begins with: kept in its metadata, put there by the trigger `runs_pin_workflow` unless
 * whoever submits it asks for one.
 */

/** The field of the metadata. */
export const VERSION_METADATA = 'workflow_version';

/** The largest that a column holds. */
const MOST = 2_147_483_647;

/** Whether a value of {@link VERSION_METADATA} can name a version. */
export function isWorkflowVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST;
}
