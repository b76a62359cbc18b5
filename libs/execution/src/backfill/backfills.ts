/** Backfills for those who ask for them: the one way in for the API, handlers and scripts. */
import { handlerKey, ValidationError } from '@spine/core';
import { cancelBackfillRows, createBackfill, resumeBackfillPlan, startBackfillPlan } from '@spine/database';
import type { Backfill, BackfillChange } from '@spine/database';
import { isKnownHandler } from '../dispatch/known-handler.ts';
import type { KnownHandlers } from '../dispatch/known-handler.ts';
import { pumpBackfill } from './pump.ts';
import type { PumpServices } from './pump.ts';
import { planOf } from './spec.ts';
import type { BackfillSpec } from './spec.ts';

export type BackfillServices = PumpServices & KnownHandlers;

export class Backfills {
  readonly #services: BackfillServices;

  constructor(services: BackfillServices) {
    this.#services = services;
  }

  /**
   * Stores a plan, PLANNED.
   * @throws ValidationError for a plan whose runs would be refused, and for a handler that neither this process nor a
   *   live worker knows.
   */
  async create(spec: BackfillSpec): Promise<Backfill> {
    const plan = planOf(spec, this.#services.registry);
    if (!(await isKnownHandler(this.#services, spec.run.kind, spec.run.name))) {
      const message = `no handler ${handlerKey(spec.run.kind, spec.run.name)} is known here or to a live worker`;
      throw new ValidationError(`run.name: ${message}`, {
        issues: [{ field: 'run.name', code: 'unknown_handler', message }],
      });
    }
    return createBackfill(this.#services.db, plan);
  }

  /** Lets a planned backfill run. The first runs are submitted by the scheduler's pump, within its round. */
  start(backfillId: string): Promise<BackfillChange> {
    return startBackfillPlan(this.#services.db, backfillId);
  }

  /** Goes on with one that failed or was cancelled. */
  resume(backfillId: string): Promise<BackfillChange> {
    return resumeBackfillPlan(this.#services.db, backfillId);
  }

  /** Stops a plan and cancels its open runs; their handlers hear of it at once. What is done stays done. */
  async cancel(backfillId: string): Promise<BackfillChange> {
    const change = await cancelBackfillRows(this.#services.db, backfillId);
    // Should this process die here, the pump cancels them.
    if (change.type === 'changed') await pumpBackfill(this.#services, backfillId);
    return change;
  }
}
