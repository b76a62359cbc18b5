/** What of a step is attempted: the step itself, or the steps of a map's iterator. */
import type { Call, Step, WorkflowInput } from '../../workflow/model.ts';

export interface Stage {
  /** Relative to the step; '' for the step itself. */
  readonly field: string;
  /** For messages. */
  readonly what: string;
  /** Null for a sub-workflow. */
  readonly call: Pick<Call, 'kind' | 'handler'> | null;
  readonly timeoutSeconds: number | undefined;
  readonly retries: boolean;
}

export function stages(step: Step): readonly Stage[] {
  if (step.kind === 'operation' || step.kind === 'lambda') {
    const { timeoutSeconds, retry, handler } = step;
    return [{ field: '', what: handler, call: step, timeoutSeconds, retries: wants(retry) }];
  }
  if (step.kind !== 'map') return [];
  return step.iterator.map((each, at) => ({
    field: `iterator[${at}]`,
    what: each.name,
    call: each.kind === 'workflow' ? null : each,
    timeoutSeconds: each.timeoutSeconds,
    retries: wants(each.retry),
  }));
}

/** Whether a failure of it is tried again. */
export function hasRetry(stage: Stage, step: Step, { policy }: WorkflowInput): boolean {
  return stage.retries || (step.onError ?? policy?.onError) === 'retry';
}

function wants(retry: { readonly strategy?: string; readonly maxRetries?: number } | undefined): boolean {
  return retry !== undefined && retry.strategy !== 'none' && retry.maxRetries !== 0;
}
