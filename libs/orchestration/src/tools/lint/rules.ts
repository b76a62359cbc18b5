/** The rules that every workflow is read with. */
import type { Step } from '../../workflow/model.ts';
import { parseObjectTemplate, RUN_ROOTS } from '../../workflow/template.ts';
import type { LintContext, LintFinding, LintRule } from './lint.ts';
import { similarNames } from './similar-names.ts';
import { STRUCTURE_RULES } from './structure-rules.ts';
import { hasRetry, stages } from './stages.ts';

/** What `check` says of each step, with its field. */
const perStep =
  (check: (step: Step, context: LintContext, index: number) => readonly LintFinding[]): LintRule['check'] =>
  (context) =>
    context.workflow.steps.flatMap((step, index) =>
      check(step, context, index).map(({ field, message }) => ({
        field: field === '' ? `steps[${index}]` : `steps[${index}].${field}`,
        message: `step ${step.name}: ${message}`,
      })),
    );

const noTimeout: LintRule = {
  code: 'W002',
  severity: 'warning',
  title: 'Something may take for ever: neither the step nor the workflow has a time-out.',
  check: perStep((step, { workflow }) => {
    if (workflow.policy?.timeoutSeconds !== undefined) return [];
    if (step.kind === 'wait')
      return 'signal' in step.wait && step.wait.timeoutSeconds === undefined
        ? [{ field: 'wait', message: 'waits for its signal without a timeout_seconds' }]
        : [];
    return stages(step)
      .filter(({ timeoutSeconds }) => timeoutSeconds === undefined)
      .map(({ field, what }) => ({ field, message: `${what} has no timeout_seconds` }));
  }),
};

const unsafeRetry: LintRule = {
  code: 'W003',
  severity: 'warning',
  title: 'What is not idempotent is done again.',
  check: perStep((step, context) =>
    stages(step).flatMap((stage) => {
      const { call, field } = stage;
      if (call === null || !hasRetry(stage, step, context.workflow)) return [];
      if (context.isIdempotent(call.kind, call.handler) !== false) return [];
      return [{ field, message: `${call.handler} is not idempotent and is tried again after a failure` }];
    }),
  ),
};

const unusedOutput: LintRule = {
  code: 'W004',
  severity: 'info',
  title: 'Nothing reads what a step has made.',
  check: (context) => {
    const { workflow, shape, compilations } = context;
    const read = new Set(compilations.flatMap(({ reads }) => reads.map(({ step }) => step)));
    const results = parseObjectTemplate(workflow.outputs ?? {}, RUN_ROOTS, []);
    for (const { step } of results.references) if (step !== null) read.add(step);
    const leaves = new Set(workflow.outputs === undefined ? shape.graph.leaves : []);
    return workflow.steps.flatMap((step, index) => {
      const makes = step.kind === 'operation' || step.kind === 'lambda' || step.kind === 'map';
      if (!makes || leaves.has(step.name) || read.has(step.name)) return [];
      return [{ field: `steps[${index}]`, message: `step ${step.name}: nothing reads its output` }];
    });
  },
};

const noFailureHandler: LintRule = {
  code: 'W006',
  severity: 'info',
  title: 'Nobody is told when the workflow fails, and nothing is undone.',
  check: ({ workflow }) => {
    const undone = workflow.steps.some((step) => step.compensate !== undefined);
    if (workflow.policy?.onFailure !== undefined || undone) return [];
    return [{ field: 'policy.on_failure', message: 'no on_failure handler, and no step has a compensate' }];
  },
};

const choiceWithoutElse: LintRule = {
  code: 'W007',
  severity: 'warning',
  title: 'A choice may choose nothing.',
  check: perStep((step) =>
    step.kind === 'choice' &&
    step.elseStep === undefined &&
    !step.routes.some(({ condition }) => condition.trim() === 'true')
      ? [{ field: 'else_step', message: 'has no else_step: where no condition holds, no step is taken' }]
      : [],
  ),
};

const handlerWithoutDomain: LintRule = {
  code: 'W010',
  severity: 'info',
  title: 'An operation’s handler has no domain before its name.',
  check: perStep((step) =>
    stages(step).flatMap(({ call, field }) =>
      call?.kind === 'operation' && !call.handler.includes('.')
        ? [{ field, message: `${call.handler} names no domain; write domain.name` }]
        : [],
    ),
  ),
};

const openApproval: LintRule = {
  code: 'W011',
  severity: 'warning',
  title: 'Anybody may approve.',
  check: perStep((step) =>
    step.kind === 'approval' && step.approvers.length === 0
      ? [{ field: 'approvers', message: 'names no approver, so that anybody may decide' }]
      : [],
  ),
};

const uselessCompensation: LintRule = {
  code: 'W012',
  severity: 'warning',
  title: 'A compensation of what changes nothing.',
  check: perStep((step) =>
    step.compensate !== undefined && (step.kind === 'choice' || step.kind === 'wait')
      ? [{ field: 'compensate', message: `a ${step.kind} changes nothing that could be undone` }]
      : [],
  ),
};

export const BUILT_IN_RULES: readonly LintRule[] = [
  ...STRUCTURE_RULES,
  noTimeout,
  unsafeRetry,
  unusedOutput,
  noFailureHandler,
  choiceWithoutElse,
  similarNames,
  handlerWithoutDomain,
  openApproval,
  uselessCompensation,
];
