/** A spec that many runs are made from. */
import { workSpecJson } from '@spine/execution';
import type { WorkSpecJson } from '@spine/execution';
import { refuse } from '../timing/issues.ts';

/** What says something of one run alone: the same for every run it would make them one run, or none. */
const OF_ONE_RUN = [
  'idempotency_key',
  'parent_run_id',
  'run_after',
  'expires_at',
  'singleton_key',
  'debounce_seconds',
  'trigger_source',
] as const satisfies readonly (keyof WorkSpecJson)[];

/** JSON bytes of a spec. */
export const MAX_WORK_BYTES = 64 * 1024;

/** @param maker what the runs are of, e.g. `a schedule`. @throws ValidationError naming the field that is wrong. */
export function checkRepeatableWork(work: WorkSpecJson, maker: string): void {
  const parsed = workSpecJson.safeParse(work);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    refuse(issue?.path.join('.') ?? '', 'invalid', issue?.message ?? 'is no work spec');
  }
  if (work.kind === 'step')
    refuse(
      'target_type',
      'not_allowed',
      'steps belong to workflows; allowed are task, operation and workflow',
    );
  for (const field of OF_ONE_RUN)
    if (work[field] !== undefined)
      refuse(field, 'not_allowed', `says something of one run and cannot be that of all runs of ${maker}`);
  const bytes = Buffer.byteLength(JSON.stringify(work));
  if (bytes > MAX_WORK_BYTES)
    refuse('params', 'too_large', `the spec has ${bytes} bytes; allowed are ${MAX_WORK_BYTES}`);
}
