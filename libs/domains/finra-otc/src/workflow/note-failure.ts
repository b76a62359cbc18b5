import { AnomalyCategory, isJsonObject, Severity, truncateText, WeekEnding } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import type { HandlerContext } from '@spine/execution';
import { DOMAIN } from '../vocabulary.ts';
import { WEEKLY_REFRESH } from './names.ts';

/**
 * Records the anomaly that a week was not refreshed: the failure handler of the workflow.
 *
 * @param params `{ request, failure: { status, step, error: { message, type, category } } }`; a request out of form has no
 * week, and its anomaly no partition.
 */
export function noteFailure({ request, failure }: JsonObject, ctx: HandlerContext) {
  const { step, status, error } = isJsonObject(failure) ? failure : {};
  const { message, type } = isJsonObject(error) ? error : {};
  const week = weekOf(request);
  const where = typeof step === 'string' ? ` at step ${step}` : '';
  const why = typeof message === 'string' ? `: ${message}` : '';
  return ctx.publish(async (publication) => {
    const anomaly = await publication.anomaly({
      domain: DOMAIN,
      stage: 'WEEKLY_REFRESH',
      ...(week === null ? {} : { partitionKey: { week_ending: week } }),
      severity: Severity.ERROR,
      category: AnomalyCategory.WORKFLOW_FAILURE,
      message: truncateText(`${WEEKLY_REFRESH} ${String(status ?? 'failed')}${where}${why}`, 2_000),
      metadata: { step: step ?? null, error_type: type ?? null, workflow_run_id: ctx.run.parentRunId },
    });
    return { anomaly_id: anomaly.anomalyId };
  });
}

function weekOf(request: JsonValue | undefined): string | null {
  const given = isJsonObject(request) ? request['week_ending'] : undefined;
  if (typeof given !== 'string') return null;
  try {
    return WeekEnding.parse(given).date;
  } catch {
    return null;
  }
}
