import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** What became of a look at a workflow run that had something due. */
export type AdvanceEnd = 'advanced' | 'ended' | 'left' | 'suspended' | 'closed' | 'conflict' | 'failed';

/** What is due for workflows, as it was counted a moment ago. */
export interface InboxReading {
  /** Counted up to 10,000. */
  readonly due: number;
  /** How long the first of it has been due; 0 for nothing. */
  readonly oldestSeconds: number;
}

/** What the drivers of workflows do, by closed sets of words: no workflow's name is a label. */
export class WorkflowMetrics {
  readonly advances: Counter<'outcome'>;
  readonly advanceSeconds: Histogram;
  readonly #inboxDue: Gauge;
  readonly #inboxOldest: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.advances = new Counter({
      name: 'spine_workflow_advances_total',
      help: 'Looks at workflow runs with something due, by what became of them.',
      labelNames: ['outcome'],
      registers,
    });
    this.advanceSeconds = new Histogram({
      name: 'spine_workflow_advance_seconds',
      help: 'Time of one transaction that advances workflow runs including its commit.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
      registers,
    });
    this.#inboxDue = new Gauge({
      name: 'spine_workflow_inbox_due',
      help: 'What workflow runs have to be told and were not yet, counted up to 10,000.',
      registers,
    });
    this.#inboxOldest = new Gauge({
      name: 'spine_workflow_inbox_oldest_seconds',
      help: 'How long the first of what workflow runs have to be told has been due.',
      registers,
    });
  }

  setInbox({ due, oldestSeconds }: InboxReading): void {
    this.#inboxDue.set(due);
    this.#inboxOldest.set(oldestSeconds);
  }
}
