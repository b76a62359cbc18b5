/** A dry run in JSON: what the API answers for a published workflow, and the command line for one in a file. */
import type { DryRunResult, DryRunStep } from './dry-run.ts';

export interface DryRunStepJson extends Omit<DryRunStep, 'notes'> {
  readonly notes: string[];
}

/** Seconds are numbers, costs decimals as text. */
export interface DryRunJson {
  readonly workflow: string;
  readonly is_valid: boolean;
  readonly issues: { readonly field: string; readonly code: string; readonly message: string }[];
  readonly steps: DryRunStepJson[];
  readonly waves: string[][];
  readonly total_seconds: number;
  readonly elapsed_seconds: number;
  readonly total_cost: string;
  readonly unestimated: string[];
}

export function dryRunToJson(result: DryRunResult): DryRunJson {
  return {
    workflow: result.workflow,
    is_valid: result.isValid,
    issues: result.issues.map(({ field, code, message }) => ({ field, code, message })),
    steps: result.steps.map((step) => ({ ...step, notes: [...step.notes] })),
    waves: result.waves.map((wave) => [...wave]),
    total_seconds: result.totalSeconds,
    elapsed_seconds: result.elapsedSeconds,
    total_cost: result.totalCost,
    unestimated: [...result.unestimated],
  };
}
