/** Steps from and to their JSON. */
import { assertNever, present } from '@spine/core';
import { retryPolicyFromJson, toRetryPolicyJson } from '@spine/execution';
import type { RetryPolicy, RetryPolicyJson } from '@spine/execution';
import type { CallJson, IteratorStepJson, StepJson } from './json.ts';
import type { Call, IteratorStep, Step, WaitFor } from './model.ts';

const list = <T>(items: readonly T[] | undefined): T[] | undefined =>
  items === undefined ? undefined : [...items];

const retryFromJson = (json: RetryPolicyJson | undefined): RetryPolicy | undefined =>
  json === undefined ? undefined : retryPolicyFromJson(json);
const retryToJson = (policy: RetryPolicy | undefined): RetryPolicyJson | undefined =>
  policy === undefined ? undefined : toRetryPolicyJson(policy);

export function callFromJson(json: CallJson): Call {
  return present({ kind: json.kind, handler: json.handler, params: json.params });
}

export function callToJson(call: Call): CallJson {
  return present({ kind: call.kind, handler: call.handler, params: call.params });
}

/** A checked step as the model has it. */
export function stepFromJson(json: StepJson): Step {
  const common = {
    name: json.name,
    dependsOn: json.depends_on,
    when: json.when,
    onError: json.on_error,
    compensate: json.compensate === undefined ? undefined : callFromJson(json.compensate),
  };
  switch (json.kind) {
    case 'operation':
    case 'lambda':
      return present({
        ...common,
        kind: json.kind,
        handler: json.handler,
        params: json.params,
        timeoutSeconds: json.timeout_seconds,
        retry: retryFromJson(json.retry),
      });
    case 'choice':
      return present({
        ...common,
        kind: json.kind,
        routes: json.routes.map((route) => ({ condition: route.condition, thenStep: route.then_step })),
        elseStep: json.else_step,
      });
    case 'wait':
      return present({ ...common, kind: json.kind, wait: waitFromJson(json.wait) });
    case 'map':
      return present({
        ...common,
        kind: json.kind,
        items: json.items,
        iterator: json.iterator.map(iteratorFromJson),
        maxConcurrency: json.max_concurrency,
        partitionBy: json.partition_by,
        toleratedFailures: json.tolerated_failures,
      });
    case 'workflow':
      return present({
        ...common,
        kind: json.kind,
        workflow: json.workflow,
        params: json.params,
        wait: json.wait,
        inheritContext: json.inherit_context,
        timeoutSeconds: json.timeout_seconds,
        retry: retryFromJson(json.retry),
      });
    case 'approval':
      return present({
        ...common,
        kind: json.kind,
        approvers: json.approvers,
        message: json.message,
        timeoutSeconds: json.timeout_seconds,
        autoApprove: json.auto_approve,
        contextFields: json.context_fields,
      });
    default:
      return assertNever(json);
  }
}

/** What `stepFromJson` reads; not yet checked. */
export function stepToJson(step: Step): StepJson {
  const common = {
    name: step.name,
    depends_on: list(step.dependsOn),
    when: step.when,
    on_error: step.onError,
    compensate: step.compensate === undefined ? undefined : callToJson(step.compensate),
  };
  switch (step.kind) {
    case 'operation':
    case 'lambda':
      return present({
        ...common,
        kind: step.kind,
        handler: step.handler,
        params: step.params,
        timeout_seconds: step.timeoutSeconds,
        retry: retryToJson(step.retry),
      });
    case 'choice':
      return present({
        ...common,
        kind: step.kind,
        routes: step.routes.map((route) => ({ condition: route.condition, then_step: route.thenStep })),
        else_step: step.elseStep,
      });
    case 'wait':
      return present({ ...common, kind: step.kind, wait: waitToJson(step.wait) });
    case 'map':
      return present({
        ...common,
        kind: step.kind,
        items: typeof step.items === 'string' ? step.items : [...step.items],
        iterator: step.iterator.map(iteratorToJson),
        max_concurrency: step.maxConcurrency,
        partition_by: step.partitionBy,
        tolerated_failures: step.toleratedFailures,
      });
    case 'workflow':
      return present({
        ...common,
        kind: step.kind,
        workflow: step.workflow,
        params: step.params,
        wait: step.wait,
        inherit_context: step.inheritContext,
        timeout_seconds: step.timeoutSeconds,
        retry: retryToJson(step.retry),
      });
    case 'approval':
      return present({
        ...common,
        kind: step.kind,
        approvers: [...step.approvers],
        message: step.message,
        timeout_seconds: step.timeoutSeconds,
        auto_approve: list(step.autoApprove),
        context_fields: step.contextFields,
      });
    default:
      return assertNever(step);
  }
}

function iteratorFromJson(json: IteratorStepJson): IteratorStep {
  const common = {
    name: json.name,
    params: json.params,
    timeoutSeconds: json.timeout_seconds,
    retry: retryFromJson(json.retry),
  };
  return json.kind === 'workflow'
    ? present({ ...common, kind: json.kind, workflow: json.workflow })
    : present({ ...common, kind: json.kind, handler: json.handler });
}

function iteratorToJson(step: IteratorStep): IteratorStepJson {
  const common = {
    name: step.name,
    params: step.params,
    timeout_seconds: step.timeoutSeconds,
    retry: retryToJson(step.retry),
  };
  return step.kind === 'workflow'
    ? present({ ...common, kind: step.kind, workflow: step.workflow })
    : present({ ...common, kind: step.kind, handler: step.handler });
}

function waitFromJson(json: Extract<StepJson, { kind: 'wait' }>['wait']): WaitFor {
  if ('duration_seconds' in json) return { durationSeconds: json.duration_seconds };
  if ('until' in json) return { until: json.until };
  return present({ signal: json.signal, timeoutSeconds: json.timeout_seconds });
}

function waitToJson(wait: WaitFor): Extract<StepJson, { kind: 'wait' }>['wait'] {
  if ('durationSeconds' in wait) return { duration_seconds: wait.durationSeconds };
  if ('until' in wait) return { until: wait.until };
  return present({ signal: wait.signal, timeout_seconds: wait.timeoutSeconds });
}
