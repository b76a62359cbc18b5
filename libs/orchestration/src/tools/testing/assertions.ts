/** What tests say about a run. Each throws an AssertionError that tells what the run did instead. */
import { AssertionError } from 'node:assert';
import { canonicalJson } from '@spine/core';
import type { JsonValue } from '@spine/core';
import type { StepStatus } from '../../engine/state.ts';
import type { StepRun, WorkflowRunResult } from '../run/run.ts';

export function assertWorkflowCompleted(run: WorkflowRunResult): void {
  check(run.status === 'completed', run, `is ${run.status}, not completed`);
}

/** @param step whose failure it was; default: any. */
export function assertWorkflowFailed(run: WorkflowRunResult, step?: string): void {
  check(run.status === 'failed', run, `is ${run.status}, not failed`);
  if (step !== undefined)
    check(run.failedStep === step, run, `failed at ${run.failedStep ?? 'no step'}, not at ${step}`);
}

export function assertStepStatus(run: WorkflowRunResult, name: string, status: StepStatus): void {
  const step = stepOf(run, name);
  check(step.status === status, run, `step ${name} is ${step.status}, not ${status}`);
}

/** Of a step that has completed. Values are compared as JSON. */
export function assertStepOutput(run: WorkflowRunResult, name: string, key: string, value: JsonValue): void {
  const { output, status } = stepOf(run, name);
  if (output === null) return fail(run, `step ${name} is ${status} and has no output`);
  const found = Object.hasOwn(output, key) ? output[key] : undefined;
  if (found === undefined)
    return fail(run, `step ${name} has no ${key}; it has ${Object.keys(output).join(', ')}`);
  const [actual, expected] = [canonicalJson(found), canonicalJson(value)];
  check(actual === expected, run, `step ${name} has ${key} = ${actual}, not ${expected}`);
}

/** Of steps that have started. */
export function assertStepCount(run: WorkflowRunResult, expected: number): void {
  const ran = run.steps.filter(({ attempts }) => attempts > 0);
  check(
    ran.length === expected,
    run,
    `${ran.length} steps ran, not ${expected}: ${ran.map(({ name }) => name).join(', ')}`,
  );
}

/** No step has failed for good, tolerated or not. */
export function assertNoFailures(run: WorkflowRunResult): void {
  const failed = run.steps.filter(({ status }) => status === 'failed');
  check(
    failed.length === 0,
    run,
    `failed: ${failed.map(({ name, error }) => `${name} (${error?.message ?? ''})`).join(', ')}`,
  );
}

function stepOf(run: WorkflowRunResult, name: string): StepRun {
  return run.steps.find((step) => step.name === name) ?? fail(run, `there is no step ${name}`);
}

function check(holds: boolean, run: WorkflowRunResult, message: string): void {
  if (!holds) fail(run, message);
}

function fail(run: WorkflowRunResult, message: string): never {
  const why = run.error === null ? '' : ` (${run.failedStep ?? 'run'}: ${run.error.message})`;
  throw new AssertionError({ message: `workflow ${run.workflow}: ${message}${why}` });
}
