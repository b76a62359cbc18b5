/** The recording of a run that went in production, for `replayRecording` in a test. */
import type { RunRecord } from '@spine/database';
import { recordRun } from '../tools/record/recording.ts';
import type { WorkflowRecording } from '../tools/record/recording.ts';
import type { InspectServices } from './inspect-look.ts';
import { replayHistory } from './replay.ts';
import type { Intervention, ReplayOutcome } from './replay.ts';

export type RecordingOutcome =
  | {
      readonly type: 'recorded';
      readonly recording: WorkflowRecording;
      /** What was done to the run from outside, and a replay does not do: it differs there. */
      readonly interventions: readonly Intervention[];
    }
  | { readonly type: 'not_ended'; readonly run: RunRecord }
  | Exclude<ReplayOutcome, { type: 'replayed' }>;

/**
 * Every call of a run that has ended, with the params it was given and what it answered; decisions, signals and the end. It is
 * made of the run's history and its version: results that were too large for their rows are in there. A fork begins with the
 * records that it has taken over; a run that continues another, or goes on in another, is one chapter.
 */
export async function recordWorkflowRun(services: InspectServices, runId: string): Promise<RecordingOutcome> {
  const outcome = await replayHistory(services, runId);
  if (outcome.type !== 'replayed') return outcome;
  const { run, replayed } = outcome;
  if (replayed.result.status === 'waiting') {
    if (run.completedAt === null) return { type: 'not_ended', run };
    const reason = `it was ended from outside (${run.status}), which is not in its history`;
    return { type: 'incomplete', reason };
  }
  return {
    type: 'recorded',
    recording: recordRun(replayed.definition.hash, replayed.result, replayed.takenOver),
    interventions: replayed.interventions,
  };
}
