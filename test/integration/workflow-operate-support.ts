/** Workflows that are looked at, changed and begun again: what those tests have in common. */
import { DefinitionVersions, QualityMetrics, signalWorkflow, StepResult } from '@spine/orchestration';
import type { InspectServices, WorkflowInput, WorkflowQuery, WorkflowView } from '@spine/orchestration';
import { inspectWorkflowRun } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { deferred } from './engine-run-support.ts';
import { openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

export interface OperateBed extends WorkflowBed {
  readonly services: InspectServices;
  /** The units that functions were called for, as `<run>:<text>`. */
  readonly calls: string[];
  /** Lets every `hold` that was called, and will be, go on until {@link block}. */
  release(): void;
  block(): void;
  view(runId: string): Promise<WorkflowView>;
  /** Waits until the step of a run has this status. */
  step(runId: string, step: string, status: string): Promise<void>;
  signal(runId: string, name: string): Promise<void>;
}

export type { WorkflowQuery };

/** Opens a bed with the functions `note` (answers its params), `hold` (waits for the test), `measures` and `fails`. */
export async function openOperateBed(workflows: readonly WorkflowInput[]): Promise<OperateBed> {
  const calls: string[] = [];
  let gate = deferred();
  const bed = await openWorkflowBed({
    workflows,
    functions: {
      note: (params, { run }) => {
        calls.push(`${run.parentRunId ?? ''}:${String(run.metadata['step'])}`);
        return params;
      },
      hold: async (params, { run, signal }) => {
        calls.push(`${run.parentRunId ?? ''}:${String(run.metadata['step'])}`);
        const aborted = new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        await Promise.race([gate.promise, aborted]);
        return params;
      },
      // Two of its ten records are bad; it fails where that is too many.
      measures: ({ most }) => {
        const quality = QualityMetrics.of({
          recordCount: 10,
          validCount: 8,
          passed: Number(most) >= 2,
          customMetrics: { late: 1 },
        });
        return quality.passed
          ? StepResult.ok({}, { quality })
          : StepResult.fail('too few are valid', { category: 'DATA_QUALITY', quality });
      },
      fails: () => {
        throw new Error('broken');
      },
    },
  });
  await bed.begin();
  const services = { db: bed.engine.db, definitions: new DefinitionVersions() };
  const view = async (runId: string): Promise<WorkflowView> => {
    const found = await inspectWorkflowRun(services, runId, { after: null, limit: 100 });
    if (found.type !== 'found') throw new Error(`run ${runId}: ${found.type}`);
    return found.view;
  };
  return {
    ...bed,
    services,
    calls,
    release: () => gate.resolve(),
    block: () => (gate = deferred()),
    view,
    step: async (runId, step, status) => {
      let seen: unknown;
      await waitFor(
        async () => {
          const found = await inspectWorkflowRun(services, runId, { after: null, limit: 100 });
          if (found.type !== 'found') return false;
          seen = found.view.steps.map((each) => [each.name, each.status]);
          return found.view.steps.some((each) => each.name === step && each.status === status);
        },
        { timeoutMs: 15_000, message: () => `step ${step} ${status}: ${JSON.stringify(seen)}` },
      );
    },
    signal: async (runId, name) => {
      if (!(await signalWorkflow(bed.engine.db, runId, name, { at: name }))) throw new Error('not told');
    },
  };
}
