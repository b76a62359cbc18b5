/** One look at a workflow run: a snapshot of the database, in which nothing of the run is touched. */
import { inSnapshot } from '@spine/database';
import type { Db, DbTransaction, RunRecord } from '@spine/database';
import type { DefinitionVersions } from './definitions.ts';
import { readSnapshot } from './inspect-snapshot.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';

export const INSPECT_LIMITS = {
  /** Open questions and timers named in one answer. */
  open: 100,
  /** Of JSON, of one step, item or signal. */
  valueBytes: 16 * 1024,
} as const;

export type Inspected<T> =
  | { readonly type: 'found'; readonly view: T }
  | { readonly type: 'not_found' }
  | { readonly type: 'not_begun'; readonly run: RunRecord };

export interface InspectServices {
  readonly db: Db;
  readonly definitions: DefinitionVersions;
}

/** One look at a run that the engine holds, or held. */
export async function look<T>(
  { db, definitions }: InspectServices,
  runId: string,
  at: (trx: DbTransaction, snapshot: WorkflowSnapshot) => Promise<T>,
): Promise<Inspected<T>> {
  return inSnapshot(db, async (trx): Promise<Inspected<T>> => {
    const read = await readSnapshot(trx, definitions, runId);
    return read.type === 'found' ? { type: 'found', view: await at(trx, read.snapshot) } : read;
  });
}
