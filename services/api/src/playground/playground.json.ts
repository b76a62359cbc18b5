/** What the playground's endpoints answer, and answers of steps on their way in. */
import { z } from 'zod';
import { ERROR_CATEGORIES } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { PLAYGROUND_MODES, PLAYGROUND_STATUSES } from '@spine/database';
import type { PlaygroundSummary } from '@spine/database';
import { STEP_STATUSES, StepResult } from '@spine/orchestration';
import type {
  GivenAnswers,
  PlaygroundPeek,
  PlaygroundSnapshot,
  RecordedResult,
  Session,
  WorkflowPlayground,
} from '@spine/orchestration';
import type { AnswerJson, AnswersJson } from './playground.schemas.ts';

const instant = z.iso.datetime();
const object = z.record(z.string(), z.unknown());

const errorJson = z
  .object({
    message: z.string(),
    type: z.string(),
    category: z.enum(ERROR_CATEGORIES),
    retryable: z.boolean(),
    retry_after_seconds: z.number().nullable(),
  })
  .meta({ id: 'PlaygroundError' });

export const sessionSummaryJson = z
  .object({
    session_id: z.string(),
    created_by: z.string(),
    workflow: z.string(),
    version: z.int().nullable().describe('Null for a definition that was given with the session.'),
    mode: z.enum(PLAYGROUND_MODES),
    run_id: z.string().nullable().describe('Of mode recorded.'),
    status: z.enum(PLAYGROUND_STATUSES).describe('Of the run that is gone through.'),
    step_count: z.int().describe('Steps forth, without those taken back.'),
    revision: z.int().describe('Raised by every change; its ETag.'),
    created_at: instant,
    updated_at: instant,
    expires_at: instant.describe('Put off by every change.'),
  })
  .meta({ id: 'PlaygroundSessionSummary' });
export type SessionSummaryJson = z.infer<typeof sessionSummaryJson>;

export function toSummaryJson(session: PlaygroundSummary): SessionSummaryJson {
  return {
    session_id: session.sessionId,
    created_by: session.createdBy,
    workflow: session.workflowName,
    version: session.workflowVersion,
    mode: session.mode,
    run_id: session.sourceRunId,
    status: session.status,
    step_count: session.stepCount,
    revision: session.revision,
    created_at: session.createdAt.toISOString(),
    updated_at: session.updatedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
  };
}

export const peekJson = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('work'), unit: z.string(), attempt: z.int(), params: object }),
    z.object({
      type: z.literal('timer'),
      timer: z.string(),
      at: instant.describe('Of the virtual clock.'),
      approvals: z.array(z.string()),
      signals: z.array(z.string()),
    }),
    z.object({
      type: z.literal('waiting'),
      approvals: z.array(z.string()).describe('Steps that wait for a decision.'),
      signals: z.array(z.string()).describe('Signals that steps wait for.'),
    }),
    z.object({ type: z.literal('ended'), status: z.enum(PLAYGROUND_STATUSES), outputs: object }),
  ])
  .meta({ id: 'PlaygroundPeek', description: 'What the next step forth would do.' });
export type PeekJson = z.infer<typeof peekJson>;

export function toPeekJson(peek: PlaygroundPeek): PeekJson {
  switch (peek.type) {
    case 'work':
      return { type: peek.type, unit: peek.unit, attempt: peek.attempt, params: peek.params };
    case 'timer':
      return {
        type: peek.type,
        timer: peek.timer,
        at: peek.at.toISOString(),
        approvals: [...peek.approvals],
        signals: [...peek.signals],
      };
    case 'waiting':
      return { type: peek.type, approvals: [...peek.approvals], signals: [...peek.signals] };
    case 'ended':
      return { type: peek.type, status: peek.status, outputs: peek.outputs };
  }
}

export const sessionJson = z
  .object({
    ...sessionSummaryJson.shape,
    definition_hash: z.string(),
    environment: z.string(),
    params: object.describe('As they are now.'),
    remaining: z.array(z.string()).describe('Steps that have not settled.'),
    next: peekJson,
  })
  .meta({ id: 'PlaygroundSession' });
export type SessionJson = z.infer<typeof sessionJson>;

export function toSessionJson({ summary, setup, playground }: Session): SessionJson {
  return {
    ...toSummaryJson(summary),
    definition_hash: setup.definition.hash,
    environment: setup.environment,
    params: playground.context.params,
    remaining: [...playground.remaining],
    next: toPeekJson(playground.peek()),
  };
}

const settledStepJson = z.object({
  step: z.string(),
  status: z.enum(STEP_STATUSES),
  output: object.nullable(),
  error: errorJson.nullable(),
});

const resultJson = z.object({
  status: z.enum(['ok', 'fail', 'skip']),
  output: object.nullable(),
  error: errorJson.nullable(),
  reason: z.string().nullable().describe('Why it was skipped.'),
});

export const snapshotJson = z
  .object({
    index: z.int().describe('From 1.'),
    type: z
      .enum(['work', 'timer', 'waiting', 'ended'])
      .describe('work: a step answered. timer: time has passed. waiting, ended: nothing has happened.'),
    unit: z.string().nullable(),
    params: object.nullable().describe('What the step was given.'),
    result: resultJson.nullable(),
    settled: z.array(settledStepJson).describe('Steps that have settled by it.'),
    at: instant.describe('Of the virtual clock, which begins at 2026-01-01T00:00:00Z.'),
    run: z.enum(PLAYGROUND_STATUSES),
  })
  .meta({ id: 'PlaygroundSnapshot', description: 'What one step forth has done.' });
export type SnapshotJson = z.infer<typeof snapshotJson>;

export function toSnapshotJson(snapshot: PlaygroundSnapshot): SnapshotJson {
  const { index, type, unit, params, result, settled, at, run } = snapshot;
  return {
    index,
    type,
    unit,
    params,
    result: result === null ? null : toResultJson(result),
    settled: settled.map(({ error, ...step }) => ({ ...step, error: toErrorJson(error) })),
    at: at.toISOString(),
    run,
  };
}

function toResultJson(result: StepResult): z.infer<typeof resultJson> {
  return {
    status: result.status,
    output: result.status === 'ok' ? result.output : null,
    error: result.status === 'fail' ? toErrorJson(result.error) : null,
    reason: result.status === 'skip' ? result.reason : null,
  };
}

function toErrorJson(error: ErrorInfo | null): z.infer<typeof errorJson> | null {
  if (error === null) return null;
  const { message, type, category, retryable, retryAfterSeconds } = error;
  return { message, type, category, retryable, retry_after_seconds: retryAfterSeconds };
}

/** How far a call has gone: to where it was told, as far as one call goes, or until there is nothing to do. */
export const STOPS = ['done', 'limit', 'waiting', 'ended'] as const;

export const steppedJson = z
  .object({
    session: sessionJson,
    steps: z.array(snapshotJson).describe('Steps forth of this call.'),
    stopped: z
      .enum(STOPS)
      .describe(
        'done: as it was asked. limit: call again to go on. waiting: for a decision or a signal. ended.',
      ),
  })
  .meta({ id: 'PlaygroundStepped' });
export type SteppedJson = z.infer<typeof steppedJson>;

export const contextJson = z
  .object({
    params: object,
    context: object.describe('What steps have added.'),
    outputs: z.record(z.string(), object).describe('By step.'),
    statuses: z.record(z.string(), z.enum(STEP_STATUSES)).describe('By step; those that have begun.'),
    remaining: z.array(z.string()),
  })
  .meta({ id: 'PlaygroundContext' });
export type ContextJson = z.infer<typeof contextJson>;

export function toContextJson({ context, remaining }: WorkflowPlayground): ContextJson {
  return { ...context, statuses: Object.fromEntries(context.statuses), remaining: [...remaining] };
}

export function toGivenAnswers(answers: AnswersJson): GivenAnswers {
  return Object.fromEntries(
    Object.entries(answers).map(([unit, said]) => [
      unit,
      (Array.isArray(said) ? said : [said]).map(toAnswer),
    ]),
  );
}

function toAnswer(answer: AnswerJson): RecordedResult {
  switch (answer.status) {
    case 'ok': {
      const { output, context_updates: contextUpdates, next_step: nextStep } = answer;
      return {
        status: 'ok',
        output,
        ...(contextUpdates === undefined ? {} : { contextUpdates }),
        ...(nextStep === undefined ? {} : { nextStep }),
      };
    }
    case 'fail': {
      const { message, retry_after_seconds: retryAfterSeconds = null, ...said } = answer.error;
      const { error } = StepResult.fail(message, {
        retryAfterSeconds,
        ...(said.type === undefined ? {} : { type: said.type }),
        ...(said.category === undefined ? {} : { category: said.category }),
        ...(said.retryable === undefined ? {} : { retryable: said.retryable }),
      });
      return { status: 'fail', error };
    }
    case 'skip':
      return { status: 'skip', reason: answer.reason };
  }
}
