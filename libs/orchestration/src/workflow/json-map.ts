/** Workflows from and to their JSON. */
import { present } from '@spine/core';
import { retryPolicyFromJson, toRetryPolicyJson } from '@spine/execution';
import type { WorkflowJson } from './json.ts';
import { callFromJson, callToJson, stepFromJson, stepToJson } from './json-steps.ts';
import type { ConcurrencyPolicy, WorkflowInput, WorkflowPolicy } from './model.ts';

/** A checked workflow as the model has it; `defineWorkflow` makes a definition of it. */
export function workflowFromJson(json: WorkflowJson): WorkflowInput {
  return present({
    name: json.name,
    domain: json.domain,
    description: json.description,
    tags: json.tags,
    defaults: json.defaults,
    steps: json.steps.map(stepFromJson),
    policy: json.policy === undefined ? undefined : policyFromJson(json.policy),
    concurrency: json.concurrency === undefined ? undefined : concurrencyFromJson(json.concurrency),
    outputs: json.outputs,
  });
}

/** The JSON of a workflow; absent options are absent. */
export function workflowToJson(workflow: WorkflowInput): WorkflowJson {
  return present({
    name: workflow.name,
    domain: workflow.domain,
    description: workflow.description,
    tags: workflow.tags === undefined ? undefined : [...workflow.tags],
    defaults: workflow.defaults,
    steps: workflow.steps.map(stepToJson),
    policy: workflow.policy === undefined ? undefined : policyToJson(workflow.policy),
    concurrency: workflow.concurrency === undefined ? undefined : concurrencyToJson(workflow.concurrency),
    outputs: workflow.outputs,
  });
}

function policyFromJson(json: NonNullable<WorkflowJson['policy']>): WorkflowPolicy {
  return present({
    mode: json.mode,
    maxConcurrency: json.max_concurrency,
    timeoutSeconds: json.timeout_seconds,
    onError: json.on_error,
    retry: json.retry === undefined ? undefined : retryPolicyFromJson(json.retry),
    onFailure: json.on_failure === undefined ? undefined : callFromJson(json.on_failure),
  });
}

function policyToJson(policy: WorkflowPolicy): NonNullable<WorkflowJson['policy']> {
  return present({
    mode: policy.mode,
    max_concurrency: policy.maxConcurrency,
    timeout_seconds: policy.timeoutSeconds,
    on_error: policy.onError,
    retry: policy.retry === undefined ? undefined : toRetryPolicyJson(policy.retry),
    on_failure: policy.onFailure === undefined ? undefined : callToJson(policy.onFailure),
  });
}

function concurrencyFromJson(json: NonNullable<WorkflowJson['concurrency']>): ConcurrencyPolicy {
  return present({
    maxRuns: json.max_runs,
    onConflict: json.on_conflict,
    queueTimeoutSeconds: json.queue_timeout_seconds,
  });
}

function concurrencyToJson(policy: ConcurrencyPolicy): NonNullable<WorkflowJson['concurrency']> {
  return present({
    max_runs: policy.maxRuns,
    on_conflict: policy.onConflict,
    queue_timeout_seconds: policy.queueTimeoutSeconds,
  });
}
