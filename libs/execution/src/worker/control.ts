/** What a worker does with what it hears between two heartbeats. */
import { assertNever } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { ControlFeed } from '../control/control-feed.ts';
import type { BreakerRegistry } from '../policy/breaker-registry.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { PausedLanes } from './paused-lanes.ts';

export interface WorkerControlOptions {
  readonly workerId: string;
  readonly leases: LeaseKeeper;
  readonly pausedLanes: PausedLanes;
  readonly breakers: BreakerRegistry;
  readonly logger: Logger;
  /** Somebody asked this worker to stop. */
  readonly onDrain: () => void;
}

/** Listens for taken runs, changed lanes and a request to stop; answers with what ends that. */
export function listenToControl(feed: ControlFeed, options: WorkerControlOptions): () => void {
  const { workerId, leases, pausedLanes, breakers, logger, onDrain } = options;
  const readLanes = (): void => {
    pausedLanes.refresh().catch((error: unknown) => {
      logger.debug({ err: error }, 'the paused lanes could not be read');
    });
  };
  return feed.subscribe({
    onMessage: (message) => {
      switch (message.type) {
        case 'lanes':
          readLanes();
          break;
        case 'breakers':
          void breakers.refresh();
          break;
        case 'drain':
          if (message.workerId === workerId) onDrain();
          break;
        case 'taken':
          leases.taken(message.runId, message.epoch, message.reason);
          break;
        case 'workflows':
          // For the driver of workflows, which listens by itself.
          break;
        default:
          assertNever(message);
      }
    },
    onReconnect: () => {
      readLanes();
      void breakers.refresh();
      void leases.beat();
    },
  });
}
