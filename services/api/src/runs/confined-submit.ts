import type { FastifyRequest } from 'fastify';
import type { Engine, SubmitOutcome, WorkSpec } from '@spine/execution';
import { confineKeys, runOwnerOf, runScopeOf, visibleRuns } from '../auth/run-scope.ts';
import type { RunOwner } from '../auth/run-scope.ts';

/** Submits for one caller: its runs are of its namespace and say who asked, whatever their specs say. */
export class ConfinedSubmit {
  readonly #engine: Engine;
  readonly #request: FastifyRequest;
  readonly #owner: RunOwner;
  readonly #allowUnknown: boolean;

  constructor(engine: Engine, request: FastifyRequest, allowUnknown: boolean) {
    this.#engine = engine;
    this.#request = request;
    this.#owner = runOwnerOf(request);
    this.#allowUnknown = allowUnknown;
  }

  async submit(spec: WorkSpec): Promise<SubmitOutcome> {
    const { dispatcher } = this.#engine;
    if (this.#owner.namespace !== null && !(await this.#seesParentOf(spec))) {
      const message = 'is no run of the namespace of the key';
      return { type: 'invalid', issues: [{ field: 'parent_run_id', code: 'not_found', message }] };
    }
    return dispatcher.submit(confineKeys(spec, this.#owner), {
      ...this.#owner,
      allowUnknown: this.#allowUnknown,
    });
  }

  /** A parent hears of its children, and they end with it: only a caller's own run may become one. */
  async #seesParentOf({ parentRunId }: WorkSpec): Promise<boolean> {
    if (parentRunId === undefined) return true;
    const visible = await visibleRuns(this.#engine.pool, runScopeOf(this.#request), [parentRunId]);
    return visible.has(parentRunId);
  }
}
