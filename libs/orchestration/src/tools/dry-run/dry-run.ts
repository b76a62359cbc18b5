/** A run without running anything: which steps, in which order, what they are expected to take, and what is wrong. */
import { Decimal } from '@spine/core';
import type { JsonObject, ValidationIssue } from '@spine/core';
import { compileStep } from '../../workflow/compile.ts';
import { findWorkflowIssues } from '../../workflow/define.ts';
import type { DefinitionLookups } from '../../workflow/define.ts';
import { STEP_DEFAULTS } from '../../workflow/model.ts';
import type { Step, StepKind, WorkflowInput } from '../../workflow/model.ts';
import { describeStep, shapeOf } from '../shape.ts';
import { CostEstimators } from './estimators.ts';
import type { Estimate } from './estimators.ts';
import { forecastSteps } from './forecast.ts';
import type { Forecast } from './forecast.ts';
import { knownItems, knownParams, missingParams, paramsScope } from './known.ts';
import { makespan } from './timing.ts';

export interface DryRunOptions {
  /** Of the run; the workflow's defaults hold where they say nothing. */
  readonly params?: JsonObject;
  readonly estimators?: CostEstimators;
  readonly lookups?: DefinitionLookups;
  /** Where it would run: approvals that it approves itself take no time. Default `production`. */
  readonly environment?: string;
}

export interface DryRunStep extends Estimate {
  readonly name: string;
  readonly kind: StepKind;
  /** From 1, in an order in which they could run one after the other. */
  readonly order: number;
  /** From 1: those of a wave wait for earlier waves alone. */
  readonly wave: number;
  readonly forecast: Forecast;
  /** Of a map whose items are known. */
  readonly items: number | null;
  readonly notes: readonly string[];
}

export interface DryRunResult {
  readonly workflow: string;
  /** No issues. */
  readonly isValid: boolean;
  /** As `defineWorkflow` tells them, and `missing_param` for references to params that the run would not have. */
  readonly issues: readonly ValidationIssue[];
  readonly steps: readonly DryRunStep[];
  readonly waves: readonly (readonly string[])[];
  /** Of all steps that run or may run, as if one after the other; steps without an estimate count for nothing. */
  readonly totalSeconds: number;
  /** From the first start to the last end, under the workflow's limit. */
  readonly elapsedSeconds: number;
  /** Decimal text. */
  readonly totalCost: string;
  /** Steps that run or may run and of whose time nobody knows. */
  readonly unestimated: readonly string[];
}

export function dryRun(workflow: WorkflowInput, options: DryRunOptions = {}): DryRunResult {
  const { estimators = new CostEstimators(), lookups = {}, environment = 'production' } = options;
  const params = { ...workflow.defaults, ...options.params };
  const scope = paramsScope(params);
  const shape = shapeOf(workflow);
  const byName = new Map(workflow.steps.map((step) => [step.name, step]));
  const compilations = new Map(workflow.steps.map((step) => [step.name, compileStep(step)]));
  const forecasts = forecastSteps(byName, shape, params);
  const waveOf = new Map(shape.waves.flatMap((wave, at) => wave.map((name) => [name, at + 1] as const)));

  const steps = shape.order.flatMap((name, at): DryRunStep[] => {
    const step = byName.get(name);
    const compilation = compilations.get(name);
    if (step === undefined || compilation === undefined) return [];
    const forecast = forecasts.get(name) ?? 'depends';
    const items = knownItems(step, compilation, scope);
    const known = { step, params: knownParams(step, compilation, scope), items };
    const automatic = step.kind === 'approval' && (step.autoApprove ?? []).includes(environment);
    const estimate = automatic ? { seconds: 0, cost: '0' } : estimators.estimate(known);
    return [
      {
        ...estimate,
        name,
        kind: step.kind,
        order: at + 1,
        wave: waveOf.get(name) ?? shape.waves.length + 1,
        forecast,
        items,
        notes: notesOf(step, items, automatic),
      },
    ];
  });

  const counted = steps.filter(({ forecast }) => forecast === 'runs' || forecast === 'depends');
  const timed = new Map(
    counted.map(({ name, seconds }) => [name, { seconds: seconds ?? 0, slot: holdsSlot(byName.get(name)) }]),
  );
  const issues = [
    ...findWorkflowIssues(workflow, lookups),
    ...workflow.steps.flatMap((step, index) => {
      const compilation = compilations.get(step.name);
      return compilation === undefined || !timed.has(step.name)
        ? []
        : missingParams(step, index, compilation, params);
    }),
  ];
  return {
    workflow: workflow.name,
    isValid: issues.length === 0,
    issues,
    steps,
    waves: shape.waves,
    totalSeconds: counted.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0),
    elapsedSeconds: makespan(shape, timed, workflow.policy?.maxConcurrency),
    totalCost: counted.reduce((sum, { cost }) => sum.plus(cost ?? '0'), new Decimal(0)).toString(),
    unestimated: counted.filter(({ seconds }) => seconds === null).map(({ name }) => name),
  };
}

/** The plan as lines of text. */
export function formatDryRun(result: DryRunResult): string {
  const lines = result.steps.map(({ order, wave, name, kind, forecast, seconds, notes }) => {
    const time = seconds === null ? '? s' : `${seconds} s`;
    return `${order}. [wave ${wave}] ${name} (${kind}) ${forecast}, ${time}${notes.map((note) => `; ${note}`).join('')}`;
  });
  const issues = result.issues.map(({ field, message }) => `! ${field}: ${message}`);
  const open =
    result.unestimated.length === 0 ? '' : `, ${result.unestimated.length} steps without an estimate`;
  const total = `${result.workflow}: ${result.totalSeconds} s of work in ${result.elapsedSeconds} s, cost ${result.totalCost}${open}`;
  return [total, ...lines, ...issues].join('\n');
}

function notesOf(step: Step, items: number | null, automatic: boolean): string[] {
  const notes = [describeStep(step)];
  if (step.when !== undefined) notes.push(`when ${step.when}`);
  if (step.kind === 'map')
    notes.push(
      `${items ?? 'an unknown number of'} items, ${step.maxConcurrency ?? STEP_DEFAULTS.mapConcurrency} at the same time`,
    );
  if (automatic) notes.push('approves itself here');
  if (step.compensate !== undefined) notes.push(`undone by ${step.compensate.handler}`);
  return notes;
}

/** As the policy counts them. */
function holdsSlot(step: Step | undefined): boolean {
  switch (step?.kind) {
    case 'operation':
    case 'lambda':
    case 'map':
      return true;
    case 'workflow':
      return step.wait ?? true;
    case 'approval':
    case 'choice':
    case 'wait':
    case undefined:
      return false;
  }
}
