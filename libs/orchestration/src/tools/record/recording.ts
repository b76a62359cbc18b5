/**
 * A run as it went: what was called with what and answered what, what people said, and how it ended. JSON, to be kept beside
 * the tests.
 */
import { z } from 'zod';
import { parseStrictJson, ValidationError } from '@spine/core';
import type { Command } from '../../engine/command.ts';
import type { TraceEntry } from '../../engine/in-memory.ts';
import { STEP_STATUSES } from '../../engine/state.ts';
import type { StepResult } from '../../workflow/step-result.ts';
import type { WorkflowRunResult } from '../run/run.ts';
import { recordBeginning, recordedBeginningJson } from './beginning.ts';
import type { StepRecords } from './beginning.ts';
import {
  recordedErrorJson,
  recordedObjectJson,
  recordedResultJson,
  toRecordedResult,
} from './recorded-result.ts';

export const RECORDING_FORMAT = 'spine.recording/v1';

const object = recordedObjectJson;

const recordingJson = z.strictObject({
  format: z.literal(RECORDING_FORMAT),
  workflow: z.string(),
  /** Of the definition that ran. */
  hash: z.string(),
  environment: z.string(),
  params: object,
  /** What it began with besides; absent for nothing. */
  beginning: recordedBeginningJson.exactOptional(),
  /** In the order in which they were answered. `run` tells children apart: '' for the run itself. */
  calls: z.array(
    z.strictObject({
      run: z.string(),
      unit: z.string(),
      attempt: z.int().min(1),
      kind: z.enum(['operation', 'lambda']),
      handler: z.string(),
      params: object,
      result: recordedResultJson,
    }),
  ),
  decisions: z.array(
    z.strictObject({ run: z.string(), step: z.string(), approved: z.boolean(), by: z.string() }),
  ),
  signals: z.array(z.strictObject({ name: z.string(), data: object })),
  status: z.string(),
  outputs: object,
  steps: z.array(
    z.strictObject({
      name: z.string(),
      status: z.enum(STEP_STATUSES),
      attempts: z.int().min(0),
      output: object.nullable(),
      error: recordedErrorJson.nullable(),
    }),
  ),
});

export type WorkflowRecording = Readonly<z.infer<typeof recordingJson>>;
export type RecordedCall = WorkflowRecording['calls'][number];

/**
 * The recording of a run, of the result that `runInMemory` gives.
 *
 * @param hash of the definition that ran.
 * @param takenOver of a fork: the records that it began with.
 * @throws ValidationError for a run that has not ended.
 */
export function recordRun(
  hash: string,
  run: WorkflowRunResult,
  takenOver: StepRecords = [],
): WorkflowRecording {
  if (run.status === 'waiting') throw refused('status', 'the run has not ended');
  const own = (entry: TraceEntry): string => entry.runId.slice(run.runId.length);
  const commands = new Map<string, Extract<Command, { call: unknown }>>();
  const calls: RecordedCall[] = [];
  for (const entry of run.trace) {
    for (const command of entry.commands)
      if ('call' in command) commands.set(callKey(own(entry), command.unit, command.attempt), command);
    const { event } = entry;
    if (event.type !== 'step_settled' || entry.ignored !== null) continue;
    const command = commands.get(callKey(own(entry), event.unit, event.attempt));
    if (command === undefined) continue;
    const { kind, handler } = command.call;
    const { unit, attempt } = event;
    calls.push({
      run: own(entry),
      unit,
      attempt,
      kind,
      handler,
      params: { ...command.params },
      result: keep(event.result),
    });
  }
  const started = run.trace.find((entry) => own(entry) === '' && entry.event.type === 'started')?.event;
  const begun = started?.type === 'started' ? started : null;
  const beginning = begun === null ? null : recordBeginning(begun, takenOver);
  return {
    format: RECORDING_FORMAT,
    workflow: run.workflow,
    hash,
    environment: begun?.environment ?? 'production',
    params: { ...begun?.params },
    ...(beginning === null ? {} : { beginning }),
    calls,
    decisions: run.trace.flatMap((entry) =>
      entry.event.type === 'approval_decided' && entry.ignored === null
        ? [{ run: own(entry), step: entry.event.step, approved: entry.event.approved, by: entry.event.by }]
        : [],
    ),
    signals: run.trace.flatMap((entry) =>
      entry.event.type === 'signal' && own(entry) === ''
        ? [{ name: entry.event.name, data: { ...entry.event.data } }]
        : [],
    ),
    status: run.status,
    outputs: { ...run.outputs },
    steps: run.steps.map(({ name, status, attempts, output, error: failure }) => ({
      name,
      status,
      attempts,
      output: output === null ? null : { ...output },
      error: failure,
    })),
  };
}

/** Which call of a recording an attempt is. */
export function callKey(run: string, unit: string, attempt: number): string {
  return `${run} ${unit}#${attempt}`;
}

/** @throws ValidationError for what is no recording. */
export function recordingFromJson(text: string): WorkflowRecording {
  const json = parseStrictJson(text).mapErr(([problem]) => problem?.message ?? 'is no JSON');
  if (json.isErr()) throw refused('', json.error);
  const parsed = recordingJson.safeParse(json.unwrap());
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused(issue?.path.join('.') ?? '', issue?.message ?? 'is no recording');
}

/** As text, one recording always the same. */
export function recordingToJson(recording: WorkflowRecording): string {
  return `${JSON.stringify(recording, null, 2)}\n`;
}

function keep(answer: StepResult): RecordedCall['result'] {
  const kept = toRecordedResult(answer);
  if (kept === null) throw refused('calls', 'a result is not JSON');
  return kept;
}

function refused(field: string, message: string): ValidationError {
  return new ValidationError(`recording${field === '' ? '' : ` ${field}`}: ${message}`, {
    issues: [{ field, code: 'bad_recording', message }],
  });
}
