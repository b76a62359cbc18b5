/** One advance of one workflow run, planned: what it was told, and what is to become of it. Nothing is written here. */
import type { Advance, InboxEvent, LockedWorkflow, OfRun, StateRecord } from '@spine/database';
import type { Dispatcher, Payloads } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import type { RunHead } from '../engine/state.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { withKnownHandlers } from './added-handlers.ts';
import { effectsOf } from './effects.ts';
import type { CompleteCommand, Effects } from './effects.ts';
import { endedEventOf } from './ended-event.ts';
import { Planning } from './planning.ts';
import type { ReadRecords } from './planning.ts';

/** Who is asked about what the run was told. */
export interface Answers {
  readonly payloads: Pick<Payloads, 'result'>;
  readonly dispatcher: Pick<Dispatcher, 'knows'>;
}

export class PlannedAdvance {
  readonly locked: LockedWorkflow;
  readonly definition: WorkflowDefinition;
  readonly inbox: readonly InboxEvent[];
  readonly #planning: Planning;
  #end: CompleteCommand | null = null;

  constructor(
    locked: LockedWorkflow,
    definition: WorkflowDefinition,
    inbox: readonly InboxEvent[],
    read: ReadRecords,
  ) {
    this.locked = locked;
    this.definition = definition;
    this.inbox = inbox;
    this.#planning = new Planning(definition, locked.head as RunHead | null, read, locked.now);
  }

  get head(): RunHead {
    return this.#planning.head;
  }

  /** What ends the run; null for one that goes on. Known once its effects were taken. */
  get end(): CompleteCommand | null {
    return this.#end;
  }

  /** Tells everything in the inbox. @throws PayloadError when a result is outside of its row and cannot be had. */
  async tellAll({ payloads, dispatcher }: Answers): Promise<void> {
    const events: WorkflowEvent[] = [];
    for (const { event, ended } of this.inbox) {
      const told = ended === null ? (event as WorkflowEvent | null) : await endedEventOf(payloads, ended);
      if (told !== null) events.push(await withKnownHandlers(told, dispatcher));
    }
    await this.#planning.prefetch(events);
    for (const event of events) await this.#planning.tell(event);
  }

  async tell(event: WorkflowEvent): Promise<void> {
    await this.#planning.tell(event);
  }

  /** What is to be done since it was last asked for. */
  takeEffects(): Effects {
    const effects = effectsOf(this.#planning.takeCommands(), {
      ...this.locked,
      environment: this.head.environment,
    });
    this.#end = effects.end ?? this.#end;
    return effects;
  }

  /** Records to be written. */
  changes(): OfRun<StateRecord>[] {
    return this.#planning.changes().map((record) => ({ ...record, runId: this.locked.runId }));
  }

  /** What is to be kept of it. */
  saved(): Advance {
    return {
      locked: this.locked,
      head: this.head,
      told: this.inbox.map(({ seq }) => seq),
      events: this.#planning.told,
      ended: this.#end !== null,
    };
  }
}
