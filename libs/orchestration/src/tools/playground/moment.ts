/**
 * One moment of a run that is looked at step by step, and the moments that may come after it. Pure: a moment is a value, and
 * going back is taking an earlier one.
 *
 * 1. Between two steps the run is paused, so that nothing has begun that nobody has looked at; it is resumed to begin the
 *    next piece of work, and paused again. 2. Work that has begun keeps its params; everything else sees the present ones.
 */
import { assertNever, sha256Hex } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { Command } from '../../engine/command.ts';
import type { WorkflowEvent } from '../../engine/event.ts';
import { newWorkflowState, plan } from '../../engine/plan.ts';
import { stateToJson } from '../../engine/state-json.ts';
import type { RunOutcome, WorkflowState } from '../../engine/state.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';

export type Work = Extract<
  Command,
  { type: 'start_step' | 'start_item' | 'compensate_step' | 'run_on_failure' | 'start_child' }
>;

export interface Moment {
  readonly state: WorkflowState;
  readonly now: Date;
  /** Work that has begun and is not settled, in order. */
  readonly begun: readonly Work[];
  readonly timers: ReadonlyMap<string, Date>;
  readonly outputs: JsonObject;
  readonly started: Extract<WorkflowEvent, { type: 'started' }>;
}

export type Next =
  | { readonly type: 'work'; readonly moment: Moment; readonly work: Work }
  /** Nothing to do before this timer. */
  | { readonly type: 'timer'; readonly moment: Moment; readonly timer: string; readonly at: Date }
  /** For a decision or a signal. */
  | { readonly type: 'waiting'; readonly moment: Moment }
  | { readonly type: 'ended'; readonly moment: Moment; readonly outcome: RunOutcome };

export function firstMoment(started: Moment['started'], now: Date): Moment {
  const state = newWorkflowState();
  return { state, now, begun: [], timers: new Map(), outputs: {}, started };
}

/** Whatever comes next, with the moment in which it has begun. */
export function nextOf(definition: WorkflowDefinition, moment: Moment): Next {
  const begun = moment.begun.length > 0 ? moment : begin(definition, moment);
  const [work] = begun.begun;
  if (work !== undefined) return { type: 'work', moment: begun, work };
  const { phase } = begun.state.head;
  if (phase.type === 'ended') return { type: 'ended', moment: begun, outcome: phase.outcome };
  const [timer] = [...begun.timers].sort(([, a], [, b]) => a.getTime() - b.getTime());
  if (timer === undefined) return { type: 'waiting', moment: begun };
  return { type: 'timer', moment: begun, timer: timer[0], at: timer[1] };
}

/** The moment after an event. */
export function after(definition: WorkflowDefinition, moment: Moment, event: WorkflowEvent): Moment {
  return told(definition, moment, event).moment;
}

/** The same, and why the event counted for nothing; null when it did count. */
export function told(
  definition: WorkflowDefinition,
  moment: Moment,
  event: WorkflowEvent,
): { readonly moment: Moment; readonly ignored: string | null } {
  const { state, commands, ignored } = plan(definition, moment.state, event, moment.now);
  return { moment: commands.reduce(note, { ...moment, state }), ignored };
}

/** SHA-256 of all that decides what comes after a moment. */
export function momentHash({ state, now, begun, timers, outputs, started }: Moment): string {
  const work = begun.map(({ unit, attempt }) => `${unit}#${attempt}`);
  return sha256Hex(
    sorted({ state: stateToJson(state), now, begun: work, timers: [...timers], outputs, started }),
  );
}

/** JSON with sorted keys. Not the canonical one, whose depth is limited: outputs may be as deep as that themselves. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

/** The moment with other params for what has not begun. */
export function withParams(moment: Moment, params: JsonObject): Moment {
  const { state, started } = moment;
  return {
    ...moment,
    started: { ...started, params: { ...started.params, ...params } },
    state: { ...state, head: { ...state.head, params: { ...state.head.params, ...params } } },
  };
}

function begin(definition: WorkflowDefinition, moment: Moment): Moment {
  const { phase } = moment.state.head;
  if (phase.type === 'ended') return moment;
  const going = after(definition, moment, phase.type === 'new' ? moment.started : { type: 'resume' });
  return after(definition, going, { type: 'pause' });
}

function note(moment: Moment, command: Command): Moment {
  switch (command.type) {
    case 'start_step':
    case 'start_item':
    case 'compensate_step':
    case 'run_on_failure':
    case 'start_child':
      return { ...moment, begun: [...moment.begun, command] };
    case 'cancel_step':
    case 'cancel_child': {
      const { unit, attempt } = command;
      return {
        ...moment,
        begun: moment.begun.filter((work) => work.unit !== unit || work.attempt !== attempt),
      };
    }
    case 'set_timer':
      return { ...moment, timers: new Map(moment.timers).set(command.timer, command.at) };
    case 'clear_timer': {
      const timers = new Map(moment.timers);
      timers.delete(command.timer);
      return { ...moment, timers };
    }
    case 'ask_approval':
    case 'withdraw_approval':
    case 'cancel_detached':
      return moment;
    case 'complete':
      return { ...moment, outputs: command.outputs };
    default:
      return assertNever(command);
  }
}
