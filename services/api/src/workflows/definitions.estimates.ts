/** What steps are expected to take, by what they took lately. */
import { handlerStats } from '@spine/database';
import type { Db } from '@spine/database';
import { callsIn, CostEstimators, stepHandlerName } from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';

/** Runs of these last hours count. */
export const ESTIMATED_HOURS = 24;

/** Runs that are read for it, newest first. */
const READ = 20_000;

/**
 * Estimators of the handlers that a workflow calls: the median time of their steps, where some have ended.
 * @param namespace undefined for the runs of all.
 */
export async function measuredEstimators(
  db: Db,
  workflow: WorkflowInput,
  namespace: string | undefined,
): Promise<CostEstimators> {
  const { handlers } = await handlerStats(db, ESTIMATED_HOURS, READ, namespace);
  const medians = new Map(
    handlers.flatMap(({ kind, name, durationMs }) =>
      kind === 'step' && durationMs.p50 !== null ? [[name, durationMs.p50 / 1_000] as const] : [],
    ),
  );
  const estimators = new CostEstimators();
  const seen = new Set<string>();
  for (const { call } of callsIn(workflow)) {
    const name = stepHandlerName(call);
    const seconds = medians.get(name);
    if (seconds === undefined || seen.has(name)) continue;
    seen.add(name);
    estimators.forHandler(call.kind, call.handler, () => ({ seconds }));
  }
  return estimators;
}
