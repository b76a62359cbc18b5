/**
 * A workflow run while it is advanced: the records that were read, what has changed of them, and what is to be done.
 *
 * 1. A record is read once an advance at the most, and only when the plan is likely to need it. 2. Nothing is written here.
 */
import type { StateRecord } from '@spine/database';
import type { Command } from '../engine/command.ts';
import { itemsAhead, recordsAround } from '../engine/around.ts';
import { NEW_RUN } from '../engine/control.ts';
import { isFromOutside } from '../engine/event.ts';
import type { RecordedEvent, WorkflowEvent } from '../engine/event.ts';
import { planPartial } from '../engine/plan.ts';
import type { ItemState, RunHead, StepState } from '../engine/state.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';

export type RecordName = Pick<StateRecord, 'part' | 'key'>;

/** Answers with those of the records that exist. */
export type ReadRecords = (names: readonly RecordName[]) => Promise<readonly StateRecord[]>;

export class Planning {
  readonly #definition: WorkflowDefinition;
  readonly #read: ReadRecords;
  readonly #now: Date;
  /** Nothing has been written for it: there is nothing to be read. */
  #isNew: boolean;
  readonly #steps = new Map<string, StepState | null>();
  readonly #items = new Map<string, ItemState | null>();
  readonly #changedSteps = new Set<string>();
  readonly #changedItems = new Set<string>();
  readonly #commands: Command[] = [];
  readonly #told: RecordedEvent[] = [];
  #head: RunHead;

  /** @param head null for a run that was told nothing yet. */
  constructor(definition: WorkflowDefinition, head: RunHead | null, read: ReadRecords, now: Date) {
    this.#definition = definition;
    this.#head = head ?? NEW_RUN;
    this.#isNew = head === null;
    this.#read = read;
    this.#now = now;
  }

  get head(): RunHead {
    return this.#head;
  }

  /** Everything it was told that counted, and what came from outside and did not. */
  get told(): readonly RecordedEvent[] {
    return this.#told;
  }

  /** The commands since they were last asked for. */
  takeCommands(): Command[] {
    return this.#commands.splice(0);
  }

  /** Records to be written. */
  changes(): StateRecord[] {
    return [
      ...[...this.#changedSteps].map((key) => ({ part: 'step', key, value: this.#steps.get(key) }) as const),
      ...[...this.#changedItems].map((key) => ({ part: 'item', key, value: this.#items.get(key) }) as const),
    ];
  }

  /** Reads at once what events are likely to need. */
  async prefetch(events: readonly WorkflowEvent[]): Promise<void> {
    // A fork begins with the records of the steps that it takes over.
    if (events.some((event) => event.type === 'started' && event.fork !== undefined)) this.#isNew = false;
    const around = events.map((event) => recordsAround(this.#definition, this.#head, event));
    await this.#load(
      around.flatMap(({ steps }) => steps),
      around.flatMap(({ items }) => items),
    );
    // Else each item that a map goes on to would be a read of its own.
    await this.#load(
      [],
      itemsAhead(events, (name) => this.#steps.get(name)),
    );
  }

  /** @returns why it has counted for nothing; null when it has counted. */
  async tell(event: WorkflowEvent): Promise<string | null> {
    for (;;) {
      const state = { head: this.#head, steps: this.#steps, items: this.#items };
      const planned = planPartial(this.#definition, state, event, this.#now);
      if (planned.type === 'needs') {
        await this.#load(planned.steps, planned.items);
        continue;
      }
      const { ignored } = planned;
      if (ignored !== null) {
        if (isFromOutside(event)) this.#told.push({ ...event, ignored });
        return ignored;
      }
      this.#head = planned.head;
      for (const [key, step] of planned.steps) {
        this.#steps.set(key, step);
        this.#changedSteps.add(key);
      }
      for (const [key, item] of planned.items) {
        this.#items.set(key, item);
        this.#changedItems.add(key);
      }
      this.#commands.push(...planned.commands);
      this.#told.push(event);
      return null;
    }
  }

  async #load(steps: readonly string[], items: readonly string[]): Promise<void> {
    const names: RecordName[] = [
      ...[...new Set(steps)]
        .filter((key) => !this.#steps.has(key))
        .map((key) => ({ part: 'step', key }) as const),
      ...[...new Set(items)]
        .filter((key) => !this.#items.has(key))
        .map((key) => ({ part: 'item', key }) as const),
    ];
    for (const { part, key } of names) {
      if (part === 'step') this.#steps.set(key, null);
      else this.#items.set(key, null);
    }
    if (this.#isNew || names.length === 0) return;
    for (const { part, key, value } of await this.#read(names)) {
      if (part === 'step') this.#steps.set(key, value as StepState);
      else this.#items.set(key, value as ItemState);
    }
  }
}
