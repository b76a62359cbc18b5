/**
 * What a run began with besides its params, as a recording keeps it: the context of the workflow that has started it, the
 * outputs of the run that it continues, and of a fork the steps that it has taken over.
 */
import { z } from 'zod';
import type { WorkflowEvent } from '../../engine/event.ts';
import { RunGraph } from '../../engine/run-graph.ts';
import type { Overlay, StepState } from '../../engine/state.ts';
import { stepJson } from '../../workflow/json.ts';
import { stepFromJson, stepToJson } from '../../workflow/json-steps.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { recordedErrorJson, recordedObjectJson } from './recorded-result.ts';

const edgeJson = z.strictObject({
  to: z.string(),
  kind: z.enum(['data', 'route', 'order']),
  chosenAs: z.string().exactOptional(),
});

/** What the other run had made of its plan by then. */
const overlayJson = z.strictObject({
  steps: z.record(z.string(), stepJson),
  outgoing: z.record(z.string(), z.array(edgeJson)),
  incoming: z.record(z.string(), z.strictObject({ total: z.int().min(0), deciding: z.int().min(0) })),
});

const takenOverJson = z.strictObject({
  name: z.string(),
  status: z.enum(['completed', 'failed', 'skipped', 'not_taken']),
  attempts: z.int().min(0),
  output: recordedObjectJson.nullable(),
  error: recordedErrorJson.nullable(),
  reason: z.string().nullable(),
  chosen: z.string().nullable(),
});
type TakenOver = Readonly<z.infer<typeof takenOverJson>>;

export const recordedBeginningJson = z.strictObject({
  context: recordedObjectJson,
  previous: recordedObjectJson,
  ancestors: z.array(z.string()),
  fork: z
    .strictObject({
      run_id: z.string(),
      from_step: z.string(),
      taken_over: z.array(takenOverJson),
      signals: z.record(z.string(), recordedObjectJson),
      overlay: overlayJson.nullable(),
    })
    .nullable(),
});
export type RecordedBeginning = Readonly<z.infer<typeof recordedBeginningJson>>;

type Started = Extract<WorkflowEvent, { type: 'started' }>;
/** Records of steps by name. */
export type StepRecords = Iterable<readonly [string, StepState]>;

/**
 * @param takenOver records that were there before the first event: those of the steps that `fork` names.
 * @returns null for a run that began with its params alone.
 */
export function recordBeginning(
  { context = {}, previous = {}, ancestors = [], fork }: Started,
  takenOver: StepRecords,
): RecordedBeginning | null {
  const plain = Object.keys(context).length + Object.keys(previous).length + ancestors.length === 0;
  if (plain && fork === undefined) return null;
  return {
    context: { ...context },
    previous: { ...previous },
    ancestors: [...ancestors],
    fork:
      fork === undefined
        ? null
        : {
            run_id: fork.runId,
            from_step: fork.from,
            taken_over: [...takenOver].flatMap(([name, step]) => takenOverOf(name, step) ?? []),
            signals: Object.fromEntries(
              Object.entries(fork.signals).map(([name, data]) => [name, { ...data }]),
            ),
            overlay: fork.overlay === null ? null : overlayToJson(fork.overlay),
          },
  };
}

export interface Beginning {
  readonly started: Partial<Omit<Started, 'type' | 'runId' | 'params'>>;
  readonly takenOver: StepRecords;
}

/** What to begin with by this definition; steps that it has not any more are not taken over. */
export function beginningOf(
  { context, previous, ancestors, fork }: RecordedBeginning,
  definition: WorkflowDefinition,
): Beginning {
  const told = { context, previous, ancestors };
  if (fork === null) return { started: told, takenOver: [] };
  const overlay = fork.overlay === null ? null : overlayFromJson(fork.overlay);
  const graph = new RunGraph(definition, overlay);
  const kept = fork.taken_over.filter(({ name }) => graph.has(name));
  const { run_id: runId, from_step: from, signals } = fork;
  return {
    started: { ...told, fork: { runId, from, kept: kept.map(({ name }) => name), signals, overlay } },
    takenOver: kept.map((step) => [step.name, stateOf(step)] as const),
  };
}

/** Undefined for one that nobody takes over: it has not settled, or was cut off. */
function takenOverOf(name: string, step: StepState): TakenOver | undefined {
  const { attempt: attempts, error, reason, chosen } = step;
  const output = step.output === null ? null : { ...step.output };
  const parsed = takenOverJson.shape.status.safeParse(step.status);
  return parsed.success ? { name, status: parsed.data, attempts, output, error, reason, chosen } : undefined;
}

function stateOf({ status, attempts, output, error, reason, chosen }: TakenOver): StepState {
  return {
    status,
    open: 0,
    taken: 0,
    attempt: attempts,
    tries: attempts,
    output,
    error,
    reason,
    chosen,
    params: null,
    timer: null,
    nextReady: null,
    undoable: false,
    nextUndo: null,
    undo: null,
    map: null,
  };
}

type OverlayJson = z.infer<typeof overlayJson>;

function overlayToJson({ steps, outgoing, incoming }: Overlay): OverlayJson {
  return {
    steps: Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, stepToJson(step)])),
    outgoing: Object.fromEntries(Object.entries(outgoing).map(([name, edges]) => [name, [...edges]])),
    incoming: { ...incoming },
  };
}

function overlayFromJson({ steps, outgoing, incoming }: OverlayJson): Overlay {
  return {
    steps: Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, stepFromJson(step)])),
    outgoing,
    incoming,
  };
}
