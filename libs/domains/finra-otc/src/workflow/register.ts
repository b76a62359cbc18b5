import type { WorkflowRegistry } from '@spine/orchestration';
import type { FinraOtcOptions } from '../register.ts';
import { WEEKLY_REFRESH_WORKFLOW } from './definition.ts';
import { COLLECT_TIERS, NOTE_FAILURE, PLAN_REFRESH, SUMMARIZE_TIER } from './names.ts';
import { noteFailure } from './note-failure.ts';
import { parseRequest } from './request.ts';
import { collectTiers, summarizeTier } from './tiers.ts';
import { findWeekFiles } from './week-files.ts';

/** Registers `finra.weekly_refresh`. Its steps call the operations of `registerFinraOtc`, which must be known too. */
export function registerFinraWorkflows(
  workflows: WorkflowRegistry,
  options: FinraOtcOptions,
): WorkflowRegistry {
  const dataRoots = [...options.dataRoots];
  return workflows
    .registerFunction(PLAN_REFRESH, async (params) => {
      const request = parseRequest(params['request']);
      const { week_ending, force, force_week, max_reject_rate } = request;
      const files = await findWeekFiles(request, dataRoots);
      return { week_ending: week_ending.date, files, force, force_week, max_reject_rate };
    })
    .registerFunction(SUMMARIZE_TIER, summarizeTier)
    .registerFunction(COLLECT_TIERS, collectTiers)
    .registerFunction(NOTE_FAILURE, noteFailure)
    .registerWorkflow(WEEKLY_REFRESH_WORKFLOW);
}
