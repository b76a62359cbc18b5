/**
 * A recorded run once more, and what is different: with the recorded answers, to see what a changed definition makes of
 * them; or with real handlers, to see whether they still answer the same.
 */
import { canonicalJson, ErrorCategory } from '@spine/core';
import type { JsonValue } from '@spine/core';
import type { StepExecutor } from '../../engine/executor.ts';
import type { InMemoryOptions } from '../../engine/in-memory.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { runInMemory } from '../run/run.ts';
import type { WorkflowRunResult } from '../run/run.ts';
import { beginningOf } from './beginning.ts';
import { fromRecordedResult } from './recorded-result.ts';
import { callKey, recordRun } from './recording.ts';
import type { RecordedCall, WorkflowRecording } from './recording.ts';

export interface ReplayOptions extends Pick<InMemoryOptions, 'workflow'> {
  /** Default: the recorded answers. */
  readonly executor?: StepExecutor;
  /** Calls whose handlers are real even so: whether this one is. */
  readonly live?: (call: { readonly kind: string; readonly handler: string }) => boolean;
}

export interface ReplayDiff {
  /** e.g. `steps.load.output`, `calls.load[3]#1.params`, `status`. */
  readonly at: string;
  /** Undefined for what only the other one has. */
  readonly recorded: JsonValue | undefined;
  readonly replayed: JsonValue | undefined;
}

export interface ReplayResult {
  readonly matches: boolean;
  readonly diffs: readonly ReplayDiff[];
  readonly run: WorkflowRunResult;
  /** Whether it ran by the very definition that was recorded. */
  readonly sameDefinition: boolean;
}

/** @param definition to run by: the recorded one, or a later one. */
export async function replayRecording(
  recording: WorkflowRecording,
  definition: WorkflowDefinition,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const { executor, live = () => executor !== undefined, ...rest } = options;
  const recorded = new RecordedAnswers(recording);
  const beginning = recording.beginning === undefined ? null : beginningOf(recording.beginning, definition);
  const run = await runInMemory(definition, {
    ...rest,
    runId: REPLAY,
    params: recording.params,
    environment: recording.environment,
    ...(beginning === null ? {} : { beginning }),
    oneChapter: recording.status === 'continued',
    signals: recording.signals,
    decide: ({ step }) => recording.decisions.find((decision) => decision.step === step),
    executor: {
      run: (handler, params, attempt) =>
        executor !== undefined && live(attempt.command.call)
          ? executor.run(handler, params, attempt)
          : recorded.run(handler, params, attempt),
    },
  });
  const diffs =
    run.status === 'waiting' ? waits(recording) : diffRecordings(recording, recordRun(definition.hash, run));
  return { matches: diffs.length === 0, diffs, run, sameDefinition: recording.hash === definition.hash };
}

const REPLAY = 'replay';

/** Answers with what was answered then. */
class RecordedAnswers implements StepExecutor {
  readonly #calls: ReadonlyMap<string, RecordedCall>;

  constructor({ calls }: WorkflowRecording) {
    this.#calls = new Map(calls.map((call) => [callKey(call.run, call.unit, call.attempt), call]));
  }

  run(...[handler, , { command, runId }]: Parameters<StepExecutor['run']>): StepResult {
    const call = this.#calls.get(callKey(runId.slice(REPLAY.length), command.unit, command.attempt));
    if (call?.handler === handler && call.kind === command.call.kind) return fromRecordedResult(call.result);
    return StepResult.fail(`no call of ${handler} is recorded for ${command.unit}#${command.attempt}`, {
      category: ErrorCategory.ORCHESTRATION,
      type: 'NotRecorded',
    });
  }
}

/** What is different between two recordings: the run's end, its steps, and the calls it made. */
export function diffRecordings(one: WorkflowRecording, other: WorkflowRecording): readonly ReplayDiff[] {
  return [
    ...differ('status', one.status, other.status),
    ...differ('outputs', one.outputs, other.outputs),
    ...pairs(one.steps, other.steps, ({ name }) => `steps.${name}`).flatMap(([at, before, after]) =>
      before === undefined || after === undefined
        ? differ(at, before?.status, after?.status)
        : [
            ...differ(`${at}.status`, before.status, after.status),
            ...differ(`${at}.attempts`, before.attempts, after.attempts),
            ...differ(`${at}.output`, before.output, after.output),
            ...differ(`${at}.error`, errorOf(before), errorOf(after)),
          ],
    ),
    ...pairs(one.calls, other.calls, ({ run, unit, attempt }) => `calls.${run}${unit}#${attempt}`).flatMap(
      ([at, before, after]) =>
        before === undefined || after === undefined
          ? differ(at, before?.handler, after?.handler)
          : [
              ...differ(
                `${at}.handler`,
                `${before.kind}:${before.handler}`,
                `${after.kind}:${after.handler}`,
              ),
              ...differ(`${at}.params`, before.params, after.params),
            ],
    ),
  ];
}

function waits(recording: WorkflowRecording): readonly ReplayDiff[] {
  return differ('status', recording.status, 'waiting');
}

function differ(at: string, recorded: JsonValue | undefined, replayed: JsonValue | undefined): ReplayDiff[] {
  if (recorded === replayed) return [];
  const same =
    recorded !== undefined && replayed !== undefined && canonicalJson(recorded) === canonicalJson(replayed);
  return same ? [] : [{ at, recorded, replayed }];
}

function errorOf({ error }: WorkflowRecording['steps'][number]): JsonValue {
  return error === null ? null : { type: error.type, message: error.message, category: error.category };
}

/** What both have by one name side by side, in the order of the first. */
function pairs<T>(
  one: readonly T[],
  other: readonly T[],
  name: (each: T) => string,
): readonly (readonly [string, T | undefined, T | undefined])[] {
  const before = new Map(one.map((each) => [name(each), each]));
  const after = new Map(other.map((each) => [name(each), each]));
  return [...new Set([...before.keys(), ...after.keys()])].map((key) => [
    key,
    before.get(key),
    after.get(key),
  ]);
}
