/** The scheduler's relay: hints overdue runs again, batch by batch. */
import type { Database } from './database.ts';
import type { EventQueue } from './event-queue.ts';
import type { OverdueRuns } from './overdue.ts';
import { ENGINE } from './parameters.ts';
import type { Scenario } from './parameters.ts';
import type { PublisherModel } from './publisher.ts';

export interface RelayServices {
  readonly events: EventQueue;
  readonly database: Database;
  readonly overdue: OverdueRuns;
  readonly publisher: PublisherModel;
  readonly scenario: Scenario;
}

export function startRelay(services: RelayServices): void {
  const { events, database, overdue, publisher, scenario } = services;
  const later = (): void => events.after(ENGINE.relayMs, tick);
  const tick = (): void => {
    // With the queue down the runs stay due, and the workers' poll finds them.
    if (!publisher.available) {
      later();
      return;
    }
    const batch = overdue.take(ENGINE.relayBatch);
    database.execute('relay', [{ cost: scenario.costs.relay, items: batch.length }], () => {
      publisher.announce(batch);
      if (batch.length === ENGINE.relayBatch) tick();
      else later();
    });
  };
  later();
}
