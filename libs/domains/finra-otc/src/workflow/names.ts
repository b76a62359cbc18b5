/** The names of the weekly workflow and of what only it calls. They stand in stored runs and definitions. */

/** `workflow:finra.weekly_refresh`: a week of FINRA's files from ingest to quality gates. */
export const WEEKLY_REFRESH = 'finra.weekly_refresh';

export const PLAN_REFRESH = `${WEEKLY_REFRESH}.plan`;
export const SUMMARIZE_TIER = `${WEEKLY_REFRESH}.summarize_tier`;
export const COLLECT_TIERS = `${WEEKLY_REFRESH}.collect_tiers`;
export const NOTE_FAILURE = `${WEEKLY_REFRESH}.note_failure`;
