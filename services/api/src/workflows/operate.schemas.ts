/** Bodies and answers of the endpoints that change a workflow run, or begin a new one in its middle. */
import { z } from 'zod';
import { modificationJson } from '@spine/orchestration';

const reason = z.string().min(1).max(1_000).optional().describe('Kept with what is done.');
const stepName = z.string().min(1).max(100);

export const forkBody = z
  .strictObject({
    from_step: stepName.describe('The first step that runs again, with all that depends on it.'),
    params: z
      .record(z.string(), z.json())
      .optional()
      .describe('Of the new run, in place of those of the other one. Default: its own.'),
    reason,
  })
  .meta({
    id: 'WorkflowForkRequest',
    examples: [{ from_step: 'load', params: { week: '2026-01-30' }, reason: 'the file was corrected' }],
  });
export type ForkBody = z.infer<typeof forkBody>;

export const forkedJson = z
  .object({
    run_id: z.string().describe('The new run.'),
    forked_from: z.string(),
    from_step: z.string(),
    taken_over: z.array(z.string()).describe('Steps whose outputs it has from the other run.'),
  })
  .meta({ id: 'WorkflowForked' });
export type ForkedJson = z.infer<typeof forkedJson>;

export const replayBody = z.strictObject({ reason }).optional().meta({ id: 'WorkflowReplayRequest' });
export type ReplayBody = z.infer<typeof replayBody>;

export const replayedJson = z
  .discriminatedUnion('mode', [
    forkedJson.extend({ mode: z.literal('forked') }),
    z.object({ mode: z.literal('retried'), run_id: z.string(), step: z.string() }),
  ])
  .meta({
    id: 'WorkflowStepReplayed',
    description:
      'forked: the run had ended, a new one runs the step. retried: the run under way runs it again.',
  });
export type ReplayedJson = z.infer<typeof replayedJson>;

export const modifyBody = z
  .strictObject({
    modification: modificationJson,
    reason,
    dry_run: z.boolean().default(false).describe('Only say whether it could be done. Default false.'),
  })
  .meta({
    id: 'WorkflowModifyRequest',
    examples: [{ modification: { type: 'skip_steps', steps: ['notify'] }, reason: 'nobody to be told' }],
  });
export type ModifyBody = z.infer<typeof modifyBody>;

export const modifiedJson = z
  .object({
    run_id: z.string(),
    told: z.boolean().describe('False for a dry run.'),
    suspended: z.boolean().describe('The run is paused: it hears of it when it is resumed.'),
  })
  .meta({
    id: 'WorkflowModified',
    description: 'It could be done when it was asked for; in GET …/history stands whether it was.',
  });
export type ModifiedJson = z.infer<typeof modifiedJson>;
