import type { RunEvent } from '@spine/database';
import { toRunEventJson } from '../spec/records-json.ts';

/** An event on its way to whoever follows; its JSON is made once for all of them. */
export class LiveEvent {
  readonly id: number;
  readonly event: RunEvent;
  #json: string | null = null;

  constructor(event: RunEvent) {
    this.id = Number(event.eventId);
    this.event = event;
  }

  /** As GET /runs/{id}/events shows it. One line. */
  get json(): string {
    this.#json ??= JSON.stringify(toRunEventJson(this.event));
    return this.#json;
  }
}

/** Events that became visible together, and where to resume once all of them were seen. */
export interface EventBatch {
  readonly events: readonly LiveEvent[];
  readonly cursor: number;
}
