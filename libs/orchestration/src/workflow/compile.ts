/** A step made ready to run: its references and conditions parsed once. */
import type { JsonObject, JsonValue, ValidationIssue } from '@spine/core';
import { parseListExpression, parseWorkflowCondition } from './conditions.ts';
import type { ListExpression, WorkflowCondition } from './conditions.ts';
import type {
  ApprovalStep,
  Call,
  ChoiceStep,
  IteratorStep,
  LambdaStep,
  MapStep,
  OperationStep,
  Step,
  SubWorkflowStep,
  WaitStep,
} from './model.ts';
import { ITEM_ROOTS, parseObjectTemplate, parseTemplate, RUN_ROOTS } from './template.ts';
import type { ObjectTemplate, Reference, Template, TemplateProblem } from './template.ts';

export type ItemSource =
  | { readonly type: 'template'; readonly template: Template }
  | { readonly type: 'expression'; readonly expression: ListExpression };

export interface CompiledIterator {
  readonly step: IteratorStep;
  readonly params: ObjectTemplate;
}

export type CompiledBody =
  | { readonly kind: 'call'; readonly step: OperationStep | LambdaStep; readonly params: ObjectTemplate }
  | {
      readonly kind: 'choice';
      readonly step: ChoiceStep;
      readonly routes: readonly { readonly condition: WorkflowCondition; readonly thenStep: string }[];
    }
  | { readonly kind: 'wait'; readonly step: WaitStep; readonly until: Template | null }
  | {
      readonly kind: 'map';
      readonly step: MapStep;
      readonly items: ItemSource;
      readonly iterator: readonly CompiledIterator[];
    }
  | { readonly kind: 'workflow'; readonly step: SubWorkflowStep; readonly params: ObjectTemplate }
  | { readonly kind: 'approval'; readonly step: ApprovalStep; readonly fields: ObjectTemplate };

export interface CompiledStep {
  readonly when: WorkflowCondition | null;
  readonly body: CompiledBody;
  readonly compensate: { readonly call: Call; readonly params: ObjectTemplate } | null;
}

/** A step that something reads. */
export interface StepRead {
  readonly step: string;
  /** Relative to the step, e.g. `params.rows`. */
  readonly field: string;
  /** Read when the step itself has completed, so that it may read itself. */
  readonly afterwards: boolean;
}

export interface Compilation {
  readonly compiled: CompiledStep;
  readonly reads: readonly StepRead[];
  /** With fields relative to the step; where there are any, what they are about is left out. */
  readonly problems: readonly ValidationIssue[];
}

export function compileStep(step: Step): Compilation {
  const compiler = new Compiler();
  const when = step.when === undefined ? null : compiler.condition(step.when, 'when');
  const body = compileBody(step, compiler);
  const compensate =
    step.compensate === undefined
      ? null
      : {
          call: step.compensate,
          params: compiler.object(step.compensate.params ?? {}, 'compensate.params', RUN_ROOTS, true),
        };
  return { compiled: { when, body, compensate }, reads: compiler.reads, problems: compiler.problems };
}

function compileBody(step: Step, compiler: Compiler): CompiledBody {
  switch (step.kind) {
    case 'operation':
    case 'lambda':
      return { kind: 'call', step, params: compiler.object(step.params ?? {}, 'params') };
    case 'choice':
      return {
        kind: 'choice',
        step,
        routes: step.routes.flatMap((route, index) => {
          const condition = compiler.condition(route.condition, `routes[${index}].condition`);
          return condition === null ? [] : [{ condition, thenStep: route.thenStep }];
        }),
      };
    case 'wait':
      return {
        kind: 'wait',
        step,
        until: 'until' in step.wait ? compiler.template(step.wait.until, 'wait.until') : null,
      };
    case 'map':
      return {
        kind: 'map',
        step,
        items: compiler.items(step.items),
        iterator: step.iterator.map((each, index) => ({
          step: each,
          params: compiler.object(each.params ?? {}, `iterator[${index}].params`, [
            ...RUN_ROOTS,
            ...ITEM_ROOTS,
          ]),
        })),
      };
    case 'workflow':
      return { kind: 'workflow', step, params: compiler.object(step.params ?? {}, 'params') };
    case 'approval':
      return { kind: 'approval', step, fields: compiler.object(step.contextFields ?? {}, 'context_fields') };
  }
}

class Compiler {
  readonly reads: StepRead[] = [];
  readonly problems: ValidationIssue[] = [];

  condition(text: string, field: string): WorkflowCondition | null {
    const parsed = parseWorkflowCondition(text);
    if (parsed.isErr()) this.problems.push({ field, code: 'invalid_expression', message: parsed.error });
    const condition = parsed.isOk() ? parsed.value : null;
    for (const step of condition?.steps ?? []) this.reads.push({ step, field, afterwards: false });
    return condition;
  }

  items(items: MapStep['items']): ItemSource {
    if (typeof items !== 'string' || items.trimStart().startsWith('{{'))
      return { type: 'template', template: this.template(items, 'items') };
    const parsed = parseListExpression(items);
    if (parsed.isErr()) {
      this.problems.push({ field: 'items', code: 'invalid_expression', message: parsed.error });
      return { type: 'template', template: this.template([], 'items') };
    }
    for (const step of parsed.unwrap().steps) this.reads.push({ step, field: 'items', afterwards: false });
    return { type: 'expression', expression: parsed.unwrap() };
  }

  template(value: JsonValue, field: string): Template {
    const problems: TemplateProblem[] = [];
    const template = parseTemplate(value, RUN_ROOTS, problems);
    this.#note(problems, template.references, field, false);
    return template;
  }

  object(
    value: JsonObject,
    field: string,
    roots: readonly string[] = RUN_ROOTS,
    afterwards = false,
  ): ObjectTemplate {
    const problems: TemplateProblem[] = [];
    const template = parseObjectTemplate(value, roots, problems);
    this.#note(problems, template.references, field, afterwards);
    return template;
  }

  #note(
    problems: readonly TemplateProblem[],
    references: readonly Reference[],
    field: string,
    afterwards: boolean,
  ): void {
    for (const { at, message } of problems)
      this.problems.push({ field: `${field}${at}`, code: 'bad_reference', message });
    for (const { step } of references) if (step !== null) this.reads.push({ step, field, afterwards });
  }
}
