/**
 * What steps answer in a playground that calls nothing: what the caller says, what a recorded run answered, or nothing in
 * particular. Pure.
 */
import { z } from 'zod';
import { ErrorCategory, ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import { parseUnit } from '../../engine/unit.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { fromRecordedResult, recordedResultJson } from '../record/recorded-result.ts';
import type { RecordedResult } from '../record/recorded-result.ts';
import type { WorkflowRecording } from '../record/recording.ts';
import type { Work } from './moment.ts';

/**
 * By unit: `load`, `each[3]`, `load!undo`, `!on_failure`; `each` counts for its items that have none of their own. One result
 * for each attempt, in order; the last one counts for those that follow as well.
 */
export type GivenAnswers = Readonly<Record<string, readonly RecordedResult[]>>;

/** Of a recorded run: an attempt has answered once. */
export interface RecordedAnswer {
  readonly unit: string;
  readonly attempt: number;
  readonly result: RecordedResult;
}

const byAttempt = z.array(recordedResultJson).min(1);
const playgroundAnswersJson = z.strictObject({
  given: z.record(z.string(), byAttempt),
  recorded: z
    .array(z.strictObject({ unit: z.string(), attempt: z.int().min(1), result: recordedResultJson }))
    .nullable(),
});

export interface PlaygroundAnswers {
  readonly given: GivenAnswers;
  readonly recorded: readonly RecordedAnswer[] | null;
}

/** @throws ValidationError for what are none. */
export function playgroundAnswersFromJson(json: unknown): PlaygroundAnswers {
  const parsed = playgroundAnswersJson.safeParse(json);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues[0]?.message ?? 'are no answers of a playground';
  throw new ValidationError(`answers: ${message}`, {
    issues: [{ field: 'answers', code: 'bad_answers', message }],
  });
}

/** What a piece of work answers; undefined where nothing is said of it. */
export function answerOf({ given, recorded }: PlaygroundAnswers, work: Work): StepResult | undefined {
  const said = givenFor(given, work.unit);
  if (said !== undefined) {
    const result = said[Math.min(work.attempt, said.length) - 1];
    return result === undefined ? undefined : fromRecordedResult(result);
  }
  if (recorded === null) return undefined;
  const call = recorded.find(({ unit, attempt }) => unit === work.unit && attempt === work.attempt);
  if (call !== undefined) return fromRecordedResult(call.result);
  return StepResult.fail(`nothing is recorded for ${work.unit}#${work.attempt}; give an answer for it`, {
    category: ErrorCategory.ORCHESTRATION,
    type: 'NotRecorded',
  });
}

function givenFor(given: GivenAnswers, unit: string): readonly RecordedResult[] | undefined {
  if (Object.hasOwn(given, unit)) return given[unit];
  const parsed = parseUnit(unit);
  return parsed?.type === 'item' && Object.hasOwn(given, parsed.step) ? given[parsed.step] : undefined;
}

/** Whether an answer is given for all that is called for a unit of the definition. */
export function isAnswered({ given }: PlaygroundAnswers, unit: string): boolean {
  return Object.hasOwn(given, unit);
}

/** Answers for what the workflow does not have, or does not ask. */
export function findAnswerIssues(
  { given }: Pick<PlaygroundAnswers, 'given'>,
  definition: WorkflowDefinition,
): readonly ValidationIssue[] {
  const steps = new Map(definition.steps.map((step) => [step.name, step]));
  return Object.keys(given).flatMap((key): ValidationIssue[] => {
    const unit = parseUnit(key);
    const refused = (message: string): ValidationIssue[] => [
      { field: `answers.${key}`, code: 'unknown_unit', message },
    ];
    if (unit === null) return refused('is no unit such as load, each[3], load!undo or !on_failure');
    if (unit.type === 'on_failure')
      return definition.policy?.onFailure === undefined ? refused('the workflow has no on_failure') : [];
    const step = steps.get(unit.step);
    if (step === undefined) return refused(`the workflow has no step ${unit.step}`);
    if (unit.type === 'undo')
      return step.compensate === undefined ? refused(`${unit.step} has no compensate`) : [];
    if (unit.type === 'item' && step.kind !== 'map') return refused(`${unit.step} is no map`);
    return step.kind === 'choice' || step.kind === 'wait' || step.kind === 'approval'
      ? refused(`a ${step.kind} calls nothing: it is decided, signalled or waited for`)
      : [];
  });
}

/** What a recorded run answered; a sub-workflow answers its outputs, as its step did. */
export function recordedAnswers(
  { calls, steps }: WorkflowRecording,
  definition: WorkflowDefinition,
): readonly RecordedAnswer[] {
  const children = new Set(
    definition.steps.filter(({ kind }) => kind === 'workflow').map(({ name }) => name),
  );
  return [
    ...calls.filter(({ run }) => run === '').map(({ unit, attempt, result }) => ({ unit, attempt, result })),
    ...steps.flatMap(({ name, attempts, output, error }) => {
      if (!children.has(name) || attempts === 0) return [];
      const result: RecordedResult | null =
        output !== null ? { status: 'ok', output } : error !== null ? { status: 'fail', error } : null;
      return result === null ? [] : [{ unit: name, attempt: attempts, result }];
    }),
  ];
}
